"""The share that every layer's bias has in a logit: what full gradients are made of."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from xaibench.core.passes.engine import Engine
from xaibench.core.passes.precision import at_least_single


def sum_over_biases(
    engine: Engine, images: Tensor, targets: Tensor, term: Callable[[Tensor, Tensor], Tensor]
) -> tuple[Tensor, Tensor]:
    """Return the gradients by the images, and ``term(gradient, bias)`` summed over all layers.

    Every convolution with a bias and every batch norm (whose bias is ``beta - gamma * mean /
    sigma``) gives one term; a layer's gradient is dropped as soon as its term is there.

    Args:
        engine: the model's.
        images: ``(B, C, H, W)``.
        targets: ``(B,)``.
        term: (gradient ``(B, D, h, w)`` by the layer's output, bias ``(D,)``) -> ``(B, H, W)``.
    """
    # Of the plain model: a folded norm has no bias of its own.
    biases = {part: bias for part in engine.model.modules() if (bias := bias_of(part)) is not None}

    def derive(first: int, last: int) -> tuple[Tensor, Tensor]:
        total = torch.zeros_like(images[first:last, 0])

        def watch(part: nn.Module, _: object, output: Tensor) -> None:
            def add(gradient: Tensor) -> None:
                total.add_(term(at_least_single(gradient[: last - first]), biases[part]))

            if output.requires_grad:  # else the network cuts the way from here to the image
                output.register_hook(add)  # type: ignore[no-untyped-call]

        hooks = [part.register_forward_hook(watch) for part in biases]
        try:
            leaves, chosen = engine.graph(engine.model, images[first:last], targets[first:last])
        finally:
            for hook in hooks:
                hook.remove()
        (gradient,) = torch.autograd.grad(chosen, leaves)
        return gradient[: last - first], total

    parts = list(engine.batch_size(images, graph=True).over(len(images), derive))
    return torch.cat([part[0] for part in parts]), torch.cat([part[1] for part in parts])


def bias_of(part: nn.Module) -> Tensor | None:
    """Return a spatial layer's bias ``(D,)``, a batch norm's with its running mean in it."""
    if isinstance(part, nn.Conv2d):
        return None if part.bias is None else part.bias.detach()
    if isinstance(part, nn.BatchNorm2d) and part.running_mean is not None:
        assert part.running_var is not None
        scale = (part.running_var + part.eps).rsqrt()
        scale = scale if part.weight is None else scale * part.weight.detach()
        shift = 0 if part.bias is None else part.bias.detach()
        return shift - part.running_mean * scale
    return None
