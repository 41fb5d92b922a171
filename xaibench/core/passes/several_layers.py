"""Several layers' activations and gradients from one pass, for methods that fuse them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from xaibench.core.errors import XaibenchError
from xaibench.core.model import Model
from xaibench.core.passes.cuts import refuse_cuts
from xaibench.core.passes.engine import Engine
from xaibench.core.passes.layer_names import full_name, named_layer, short_name
from xaibench.core.passes.layers import cam_layer_of, check_layer, spatial_layers
from xaibench.core.passes.precision import at_least_single
from xaibench.core.passes.spatial import SpatialLayer

# Relative to the largest activation: what folded batch norms may change by rounding.
_TOLERANCE = 1e-3
_Key = tuple[str | None, tuple[str, ...], tuple[int, ...]]
_chosen: WeakKeyDictionary[Model, dict[_Key, list[SpatialLayer]]] = WeakKeyDictionary()
_unfolded: WeakKeyDictionary[Model, dict[_Key, bool]] = WeakKeyDictionary()


class LayerPass(NamedTuple):
    """What one layer gave and what the target's logit asks of it.

    Attributes:
        name: the layer's, as users know it.
        activations: ``(B, D, h, w)``.
        gradients: ``(B, D, h, w)``, the derivative of the target's logit by them.
    """

    name: str
    activations: Tensor
    gradients: Tensor


def record_layers(
    engine: Engine, images: Tensor, targets: Tensor, names: Sequence[str] = ()
) -> list[LayerPass]:
    """Return several layers' activations and gradients: one pass forward, and one back for all.

    Args:
        engine: the model's.
        images: ``(B, C, H, W)``.
        targets: ``(B,)``.
        names: of the layers; without any the last layer of each size of map, the largest first, up
            to the CAM layer.

    Raises:
        XaibenchError: a layer doesn't exist or run, or no CAM can read it.
    """
    layers = layers_of(engine.model, images, names)
    network = _network(engine, images, layers)

    def look(first: int, last: int) -> list[tuple[Tensor, Tensor]]:
        count, size = last - first, engine.batch_size(images, graph=True)
        filled = size.fill(images[first:last])
        with torch.inference_mode(mode=False), torch.no_grad(), _watching(network, layers) as seen:
            with engine.casting():
                logits = network(filled.clone())
            engine.seen += count
            with torch.enable_grad():
                chosen = at_least_single(logits[:count]).gather(1, targets[first:last, None]).sum()
            outputs = [seen[layer.name] for layer in layers]
            with engine.deriving():
                found = torch.autograd.grad(chosen, outputs)
        return [
            (_shaped(layer, output.detach(), count), _shaped(layer, gradient, count))
            for layer, output, gradient in zip(layers, outputs, found, strict=True)
        ]

    parts = list(engine.batch_size(images, graph=True).over(len(images), look))
    for layer in layers:
        refuse_cuts(engine.model, images, layer.name)
    return [
        LayerPass(short_name(layer.name), *(torch.cat(each) for each in zip(*rows, strict=True)))
        for layer, rows in zip(layers, zip(*parts, strict=True), strict=True)
    ]


def layers_of(model: Model, images: Tensor, names: Sequence[str] = ()) -> list[SpatialLayer]:
    """Return layers by their names, or the last one of each size of map up to the CAM layer."""
    key = model.cam_layer, tuple(names), tuple(images.shape[1:])
    known = _chosen.setdefault(model, {})
    if key not in known:
        known[key] = [check_layer(model, images, full_name(model, name)) for name in names] or list(
            reversed(list(_stages(model, images)))
        )
    return known[key]


def _stages(model: Model, images: Tensor) -> Iterator[SpatialLayer]:
    """Yield the CAM layer, then the last layer of each larger map before it."""
    last = cam_layer_of(model, images)
    yield last
    size, passed = last.shape[1] * last.shape[2], False
    for layer in spatial_layers(model, images[:1]):
        passed = passed or layer.name == last.name
        if passed and layer.rank == last.rank and layer.shape[1] * layer.shape[2] > size:
            size = layer.shape[1] * layer.shape[2]
            yield layer


def _network(engine: Engine, images: Tensor, layers: Sequence[SpatialLayer]) -> Model:
    """Return the folded network, unless folding has changed what one of the layers gives."""
    model, fast = engine.model, engine.fast(images)
    if fast is model:
        return model
    key = None, tuple(layer.name for layer in layers), tuple(images.shape[1:])
    known = _unfolded.setdefault(model, {})
    if key not in known:
        noise = torch.rand(1, *images.shape[1:], generator=torch.Generator().manual_seed(0))
        looks = []
        for network in (model, fast):
            with torch.no_grad(), _watching(network, layers) as seen:
                network(noise.to(images))
            looks.append([seen[layer.name].detach() for layer in layers])
        known[key] = any(
            bool((a - b).abs().max() > _TOLERANCE * a.abs().max())
            for a, b in zip(*looks, strict=True)
        )
    return model if known[key] else fast


@contextmanager
def _watching(network: Model, layers: Sequence[SpatialLayer]) -> Iterator[dict[str, Tensor]]:
    """Keep what layers give, with a graph from the first of them on."""
    seen: dict[str, Tensor] = {}

    def keeper(name: str) -> Callable[..., Tensor]:
        def keep(_module: object, _inputs: object, output: object) -> Tensor:
            if not isinstance(output, Tensor):
                raise XaibenchError(
                    f"layer '{short_name(name)}' returns no tensor; choose another."
                )
            torch.set_grad_enabled(True)
            # A copy goes on, as what follows may work in place.
            made = output if output.requires_grad else output.detach().clone().requires_grad_()
            seen[name] = made
            return made.clone()

        return keep

    handles = [
        named_layer(network, layer.name).register_forward_hook(keeper(layer.name))
        for layer in layers
    ]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def _shaped(layer: SpatialLayer, values: Tensor, count: int) -> Tensor:
    return at_least_single(layer.layout.activations(values)[:count])
