"""The network behind the CAM layer, run alone on any number of variants of an image's activations.

Networks can't be cut at a layer in general. They can be run on a single image while a hook at the
layer puts thousands of variants in the place of its output: the trunk then costs one image. What
the network says of it is tried out before, as some count their images at the start.
"""

from collections.abc import Callable
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from xaibench.core.errors import XaibenchError
from xaibench.core.model import Model
from xaibench.core.passes.batching import BatchSize, let_through
from xaibench.core.passes.engine import Engine
from xaibench.core.passes.layer_names import named_layer
from xaibench.core.passes.layers import cam_layer_of
from xaibench.core.passes.precision import at_least_single

# 64 MB of activations in a pass.
_ELEMENTS, _MOST_ROWS = 1 << 24, 1 << 14
# Relative to the spread of logits; equal functions differ by rounding alone.
_TOLERANCE = 1e-4


@dataclass(frozen=True)
class Head:
    """What was found out about a head.

    Attributes:
        alone: a single image's pass serves any number of variants.
        pooled: it sees nothing but the spatial mean, so that ``(N, D, 1, 1)`` serve as well.
        weights: ``(K, D)``, where it is a linear map of the mean, the same for all images.
    """

    alone: bool
    pooled: bool
    weights: Tensor | None


_found: WeakKeyDictionary[Model, dict[tuple[object, ...], Head]] = WeakKeyDictionary()


def run_head(
    engine: Engine, image: Tensor, make: Callable[[int, int], Tensor], count: int
) -> Tensor:
    """Return the logits ``(count, K)`` of variants of one image's activations.

    Args:
        engine: the model's.
        image: ``(1, C, H, W)``; what the head takes from elsewhere than the layer is this image's.
        make: ``make(first, last)`` gives the activations ``(last - first, D, h, w)``, each
            time anew: a head may write into them.
        count: number of variants.
    """
    return _run(engine, image, make, count, alone=find_head(engine.model, image).alone)


def find_head(model: Model, images: Tensor) -> Head:
    """Find out by trial what a model's head is: a look at modules would miss functional layers.

    The trials use noise of the images' size and never the images, at full precision: what is found
    is the function's own.
    """
    size = tuple(images.shape[1:])
    known, asked = _found.setdefault(model, {}), (model.cam_layer, *size)
    if asked not in known:
        noise = torch.rand(2, *size, generator=torch.Generator().manual_seed(0))
        known[asked] = _try_out(Engine(model, fold=False), noise.to(images))
    return known[asked]


def _run(
    engine: Engine, image: Tensor, make: Callable[[int, int], Tensor], count: int, *, alone: bool
) -> Tensor:
    network = engine.fast(image)
    layer = named_layer(network, network.cam_layer or "")
    layout = cam_layer_of(engine.model, image).layout
    fitting = _ELEMENTS // make(0, 1).numel()
    size = BatchSize(engine.device, fitting, _MOST_ROWS, full_blocks=engine.full_blocks)
    if not alone:
        size = engine.batch_size(image)

    def look(first: int, last: int) -> Tensor:
        variants = size.fill(make(first, last))
        images = image if alone else image.expand(len(variants), -1, -1, -1)

        def put(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
            return layout.output(variants.to(output.dtype), output)

        hook = layer.register_forward_hook(put)
        try:
            with torch.inference_mode(), engine.casting():
                logits: Tensor = network(images)
            engine.seen += 0 if alone else last - first
            return at_least_single(logits[: last - first])
        finally:
            hook.remove()

    return torch.cat(list(size.over(count, look)))


def _try_out(engine: Engine, images: Tensor) -> Head:
    one, other = (_try_on(engine, image[None]) for image in images)
    weights = one.weights
    if weights is not None and (
        # Where the image has a say in them, they are no image's but its own.
        other.weights is None or not _close(weights, other.weights, weights.abs().amax())
    ):
        weights = None
    return Head(one.alone and other.alone, one.pooled and other.pooled, weights)


def _try_on(engine: Engine, image: Tensor) -> Head:
    seen = _activations(engine, image)
    drawn = torch.randn(3, *seen.shape[1:], generator=torch.Generator().manual_seed(1))
    # Noise alone has a mean near zero; a shift of each channel gives the pooling its part.
    drawn += torch.randn(3, seen.shape[1], 1, 1, generator=torch.Generator().manual_seed(2))
    scale = seen.abs().mean().clamp(min=1e-3)
    trials = torch.cat([seen, drawn.to(seen) * scale])

    def look(variants: Tensor, *, alone: bool) -> Tensor:
        # Copies, as a head may write into them (DenseNet's ReLU does).
        return _run(engine, image, lambda a, b: variants[a:b].clone(), len(variants), alone=alone)

    whole = look(trials, alone=False)
    spread = whole.amax(dim=0) - whole.amin(dim=0)
    try:
        alone = _close(look(trials, alone=True), whole, spread)
    except Exception as error:  # each network says in its own way that numbers differ
        let_through(error)
        alone = False
    means = trials.mean(dim=(2, 3), keepdim=True)
    try:
        pooled = bool((spread > 0).all()) and _close(look(means, alone=alone), whole, spread)
    except RuntimeError as error:  # a kernel that is larger than one pixel
        let_through(error)
        pooled = False
    if not pooled:
        return Head(alone, pooled, None)
    units = torch.eye(means.shape[1], device=means.device, dtype=means.dtype)[:, :, None, None]
    bias = look(torch.zeros_like(means[:1]), alone=alone)
    weights = (look(units, alone=alone) - bias).T
    fits = _close(means[:, :, 0, 0] @ weights.T + bias, whole, spread)
    return Head(alone, pooled, weights if fits else None)


def _activations(engine: Engine, image: Tensor) -> Tensor:
    network = engine.fast(image)
    layer = named_layer(network, network.cam_layer or "")
    seen: list[Tensor] = []

    def keep(_part: nn.Module, _inputs: object, output: object) -> None:
        if isinstance(output, Tensor):
            seen.append(output.clone())

    hook = layer.register_forward_hook(keep)
    try:
        with torch.inference_mode(), engine.casting():
            network(image)
    finally:
        hook.remove()
    if not seen:
        raise XaibenchError(
            f"the CAM layer '{network.cam_layer}' did not run, or gave no tensor; choose another."
        )
    return cam_layer_of(engine.model, image).layout.activations(at_least_single(seen[-1]))


def _close(ours: Tensor, theirs: Tensor, spread: Tensor) -> bool:
    return ours.shape == theirs.shape and bool(((ours - theirs).abs() <= _TOLERANCE * spread).all())
