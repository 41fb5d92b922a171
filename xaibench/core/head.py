"""The network behind the CAM layer, run alone on any number of variants of an image's activations.

Networks can't be cut at a layer in general. They can be run on a single image while a hook at the
layer puts thousands of variants in the place of its output: the trunk then costs one image.
"""

from collections.abc import Callable
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from xaibench.core.batching import BatchSize
from xaibench.core.engine import Engine
from xaibench.core.layers import as_activations, as_output, named_layer
from xaibench.core.model import Model

# 64 MB of activations in a pass.
_ELEMENTS, _MOST_ROWS = 1 << 24, 1 << 14
# Relative to the spread of logits; equal functions differ by rounding alone.
_TOLERANCE = 1e-4


@dataclass(frozen=True)
class Head:
    """What was found out about a head.

    Attributes:
        pooled: it sees nothing but the spatial mean, so that ``(N, D, 1, 1)`` serve as well.
        weights: ``(K, D)``, where it is a linear map of the mean, else None.
    """

    pooled: bool
    weights: Tensor | None


_found: WeakKeyDictionary[Model, dict[tuple[int, ...], Head]] = WeakKeyDictionary()


def run_head(
    engine: Engine, image: Tensor, make: Callable[[int, int], Tensor], count: int
) -> Tensor:
    """Return the logits ``(count, K)`` of variants of one image's activations.

    Args:
        engine: the model's.
        image: ``(1, C, H, W)``; what the head takes from elsewhere than the layer is this image's.
        make: ``make(first, last)`` gives the activations ``(last - first, D, h, w)``.
        count: number of variants.
    """
    network = engine.fast(image)
    layer = named_layer(network, network.cam_layer or "")
    fitting = _ELEMENTS // make(0, 1).numel()
    size = BatchSize(engine.device, fitting, _MOST_ROWS, full_blocks=engine.full_blocks)

    def look(first: int, last: int) -> Tensor:
        variants = size.fill(make(first, last))

        def put(module: nn.Module, _: object, output: Tensor) -> Tensor:
            return as_output(variants.to(output.dtype), output, image, module)

        hook = layer.register_forward_hook(put)
        try:
            with torch.inference_mode(), engine.casting():
                logits: Tensor = network(image)
            return logits[: last - first].float()
        finally:
            hook.remove()

    return torch.cat(list(size.over(count, look)))


def find_head(model: Model, images: Tensor) -> Head:
    """Find out by trial what a model's head is: a look at modules would miss functional layers.

    The trials use noise of the images' size and never the images, at full precision: what is found
    is the function's own.
    """
    size = tuple(images.shape[1:])
    known = _found.setdefault(model, {})
    if size not in known:
        noise = torch.rand(1, *size, generator=torch.Generator().manual_seed(0))
        known[size] = _try_out(Engine(model, fold=False), noise.to(images))
    return known[size]


def _try_out(engine: Engine, image: Tensor) -> Head:
    seen = _activations(engine, image)
    drawn = torch.randn(3, *seen.shape[1:], generator=torch.Generator().manual_seed(1))
    # Noise alone has a mean near zero; a shift of each channel gives the pooling its part.
    drawn += torch.randn(3, seen.shape[1], 1, 1, generator=torch.Generator().manual_seed(2))
    scale = seen.abs().mean().clamp(min=1e-3)
    trials = torch.cat([seen, drawn.to(seen) * scale])
    means = trials.mean(dim=(2, 3), keepdim=True)
    whole = _logits(engine, image, trials)
    spread = whole.amax(dim=0) - whole.amin(dim=0)
    try:
        pooled = bool((spread > 0).all()) and _close(_logits(engine, image, means), whole, spread)
    except RuntimeError:  # a kernel that is larger than one pixel
        pooled = False
    weights = _linear(engine, image, means, whole, spread) if pooled else None
    return Head(pooled, weights)


def _linear(
    engine: Engine, image: Tensor, means: Tensor, logits: Tensor, spread: Tensor
) -> Tensor | None:
    channels = means.shape[1]
    units = torch.eye(channels, device=means.device)[:, :, None, None]
    bias = _logits(engine, image, torch.zeros_like(means[:1]))
    weights = (_logits(engine, image, units) - bias).T
    return weights if _close(means[:, :, 0, 0] @ weights.T + bias, logits, spread) else None


def _logits(engine: Engine, image: Tensor, activations: Tensor) -> Tensor:
    return run_head(engine, image, lambda first, last: activations[first:last], len(activations))


def _activations(engine: Engine, image: Tensor) -> Tensor:
    network = engine.fast(image)
    layer = named_layer(network, network.cam_layer or "")
    seen: list[Tensor] = []
    hook = layer.register_forward_hook(lambda _, __, output: seen.append(output.clone()))
    try:
        with torch.inference_mode(), engine.casting():
            network(image)
    finally:
        hook.remove()
    return as_activations(seen[0].float(), image, layer)


def _close(ours: Tensor, theirs: Tensor, spread: Tensor) -> bool:
    return bool(((ours - theirs).abs() <= _TOLERANCE * spread).all())
