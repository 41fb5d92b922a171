"""Which layer CAM methods read: found, or named and checked."""

from collections.abc import Iterator
from math import prod
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from xaibench.core.errors import XaibenchError
from xaibench.core.model import Classifier, Model, Reshape, evaluating
from xaibench.core.networks.known_layers import known_layers
from xaibench.core.passes.alignment import moves_image
from xaibench.core.passes.batching import let_through
from xaibench.core.passes.last_map import last_map, refusal
from xaibench.core.passes.layer_names import named_layer, short_name
from xaibench.core.passes.module_runs import Pass, observe
from xaibench.core.passes.spatial import (
    TOKENS,
    SpatialLayer,
    enlarged,
    map_runs,
    positions_reached,
    read_run,
    runs_apart,
    spatial_runs,
)

_SCRIPT = "what a TorchScript does inside can't be read; pass the network from which it was made"
_Key = tuple[str, Reshape | None, tuple[int, ...]]


_found: WeakKeyDictionary[Model, dict[_Key, SpatialLayer]] = WeakKeyDictionary()


def find_cam_layer(network: nn.Module, images: Tensor) -> str:
    """Return the name of the layer that CAMs read.

    A table knows families of networks, through any wrapper. Of others it is the last layer whose
    output is a map of several positions and a cut of the network: nothing that the logits take
    from the image goes past it. Maps of the classes' scores and pooling are passed over. Where
    only a class token is read at the end, it is what the last attention reads.

    Args:
        network: gives logits.
        images: of the size that counts.

    Raises:
        XaibenchError: no layer is it for certain; the message names candidates.
    """
    known = known_layers(network)
    bare = "network" if isinstance(network, Classifier) else ""
    if bare in known:
        return f"{bare}.{known[bare]}".removeprefix(".")
    if any(isinstance(part, torch.jit.ScriptModule) for part in network.modules()):
        raise XaibenchError(f"{_SCRIPT}, or name a layer outside of it with layer=.")
    seen = observe(network, images.shape[1:], images)
    return _known(known, seen) or _find(network, seen, images)


def spatial_layers(network: nn.Module, images: Tensor) -> Iterator[SpatialLayer]:
    """Yield the layers that a CAM could read, the last first.

    Their output is a map or tokens of known form, and the logits depend on several of its
    positions. Of a layer that runs more than once the last run counts.
    """
    yield from spatial_runs(observe(network, images.shape[1:], images))


def cam_layer_of(model: Model, images: Tensor) -> SpatialLayer:
    """Return a model's CAM layer, as `check_layer` finds it for images of this size.

    Raises:
        XaibenchError: the model names none, or no CAM can read it.
    """
    if not model.cam_layer:
        raise XaibenchError("the model names no CAM layer; name one with layer=.")
    key = model.cam_layer, model.reshape, tuple(images.shape[1:])
    known = _found.setdefault(model, {})
    if key not in known:
        known[key] = check_layer(model, images, model.cam_layer, model.reshape)
    return known[key]


def check_layer(
    network: nn.Module, images: Tensor, name: str, reshape: Reshape | None = None
) -> SpatialLayer:
    """Return a layer with what it gives; refuse one that no CAM can read.

    Args:
        network: gives logits.
        images: of the size that counts.
        name: the layer's.
        reshape: brings its output to ``(B, D, h, w)``; without it the layout is found.

    Raises:
        XaibenchError: it doesn't exist or run, its output isn't spatial or has one position only,
            the network moves the image before its first convolution, the logits depend on fewer
            than two of its positions, or on several of its runs, none of which is made from the
            others.
    """
    layer = named_layer(network, name)
    seen = observe(network, images.shape[1:], images)
    runs = seen.of(layer)
    if isinstance(layer, torch.jit.ScriptModule):
        raise XaibenchError(f"layer '{short_name(name)}': {_SCRIPT}.")
    if not runs or runs[-1].shape is None:
        fault = f"gives a {runs[-1].kind}, not a tensor" if runs else "does not run"
        raise XaibenchError(f"layer '{short_name(name)}' {fault}; choose another.")
    last = runs[-1]
    counts = last.vertex is not None and seen.graph.holds(last.vertex)
    if last.recorded and seen.logits.requires_grad and not counts:
        raise XaibenchError(
            f"the logits don't depend on layer '{short_name(name)}', or the network switches "
            "gradients off; choose another."
        )
    found = read_run(seen, last, reshape)
    if found.shape[1:] == (1, 1):
        raise XaibenchError(
            f"layer '{short_name(name)}' has one position only for images of "
            f"{images.shape[2]} x {images.shape[3]}, so that its map says nothing; "
            f"{_remedy(network, images, layer, prod(last.shape or ()))}."
        )
    gradient = seen.gradient(last)
    # Of a map random weights may leave a single position alive.
    if (
        found.rank == TOKENS
        and gradient is not None
        and gradient.any()
        and (
            positions_reached(seen, last, found.layout) < 2  # noqa: PLR2004
        )
    ):
        raise XaibenchError(
            f"the logits depend on fewer than two positions of layer '{short_name(name)}'; choose "
            "an earlier one."
        )
    if len(runs) > 1 and runs_apart(seen, runs):
        raise XaibenchError(
            f"layer '{short_name(name)}' runs {len(runs)} times, and the logits depend on several "
            "runs that are independent of each other, so that no single map explains them; explain "
            "the network without what repeats it."
        )
    if moves_image(seen.graph, (found.shape[1], found.shape[2])):
        raise XaibenchError(
            "the network crops, pads, flips or else moves the image before its first convolution, "
            f"so that the map of layer '{short_name(name)}' doesn't lie on the image; do this to "
            "the images instead."
        )
    return found


def _known(known: dict[str, str], seen: Pass) -> str | None:
    """Return the layer that the table knows, if the logits are made from that network's alone."""
    if len(known) != 1:
        return None
    ((outer, inner),) = known.items()
    inside = [run for run in seen.runs if f"{run.name}.".startswith(f"{outer}.")]
    layer = [run for run in inside if run.name == f"{outer}.{inner}"]
    if not layer or inside[-1].name != outer:  # somebody calls its parts
        return None
    behind = seen.runs[seen.runs.index(inside[-1]) + 1 :]
    past = seen.graph.reaches_images([run.vertex for run in inside if run.vertex])
    if past or runs_apart(seen, layer) or any(run in behind for run in map_runs(seen)):
        return None
    return layer[-1].name


def _find(network: nn.Module, seen: Pass, images: Tensor) -> str:
    """Return the layer that the graph tells, at a larger size, too, where this one leaves doubt."""
    chosen, doubtful = last_map(seen)
    larger = next(enlarged(images), None) if doubtful else None
    if larger is not None:
        try:
            again = observe(network, larger.shape[1:], larger)
        except Exception as error:  # each network says in its own way that it takes one size only
            let_through(error)
            again = None
        if again:
            return _find(network, again, larger)
    if chosen is None:
        if not seen.graph.cuts:
            why = "the logits have no gradient by the images (no_grad, detach, or a script)"
        else:
            why = "no layer has a map of several positions on which all logits depend"
        raise refusal(seen, why)
    return chosen.name


def _remedy(network: nn.Module, images: Tensor, layer: nn.Module, alone: int) -> str:
    """Return what to do about a layer that gives so few numbers, by trial of larger images."""
    sizes: list[int] = []

    def look(_module: nn.Module, _inputs: object, output: object) -> None:
        sizes.append(output.numel() if isinstance(output, Tensor) else 0)

    hook = layer.register_forward_hook(look)
    try:
        with torch.inference_mode(), evaluating(network):
            for larger in enlarged(images):
                network(larger)
                if sizes[-1] >= 2 * alone:
                    height, width = larger.shape[2:]
                    return f"images of {height} x {width} would do, or name an earlier layer"
    except Exception as error:  # each network says in its own way that it takes one size only
        let_through(error)
        return "name an earlier layer"
    finally:
        hook.remove()
    return "name an earlier layer"
