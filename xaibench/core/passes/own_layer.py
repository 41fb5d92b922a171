"""A layer of a method's own: the same network, read elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from weakref import WeakKeyDictionary

from xaibench.core.model import Model
from xaibench.core.passes.engine import Engine
from xaibench.core.passes.layer_names import full_name

# By model, and by layer: the same model that names it, and its network with folded batch norms.
_found: WeakKeyDictionary[Model, dict[str, tuple[Model, Model | None]]] = WeakKeyDictionary()


def with_layer(model: Model, layer: str) -> Model:
    """Return the model, whose parts are shared, with another CAM layer; as it is without a name.

    Raises:
        XaibenchError: there is no such layer.
    """
    if not layer:
        return model
    known = _found.setdefault(model, {})
    if layer not in known:
        named = copy(model)
        named.cam_layer = full_name(model, layer)
        known[layer] = named, None
    return known[layer][0]


@contextmanager
def reading(engine: Engine, layer: str) -> Iterator[None]:
    """Let an engine read another layer meanwhile; without a name nothing changes.

    Raises:
        XaibenchError: there is no such layer.
    """
    named = with_layer(engine.model, layer)
    if named is engine.model:
        yield  # what is folded meanwhile stays folded
        return
    before, shared = engine.model, engine.folded
    _, folded = _found[before][layer]
    engine.model, engine.folded = named, named if shared is before else folded
    try:
        yield
    finally:
        _found[before][layer] = named, engine.folded
        engine.model, engine.folded = before, shared
