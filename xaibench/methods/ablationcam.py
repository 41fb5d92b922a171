"""Ablation-CAM: each activation map weighted by what the logit loses without it."""

from collections.abc import Callable

import torch
from torch import Tensor, einsum

from xaibench.core.passes.head import Head
from xaibench.core.registry import method


@method(paper="desai2020ablationcam", family="cam")
def ablationcam(
    activations: Tensor, targets: Tensor, head: Head, try_head: Callable[..., Tensor]
) -> Tensor:
    """Return ReLU(sum_d (y - y without A_d) * A_d), shape (B, h, w).

    The weight is the drop itself and not, as published, its quotient by y: a logit has no natural
    zero, and a bias that makes it negative would turn the map round. Behind pooling and one linear
    layer the drop is w_d * mean(A_d), and nothing needs to run.
    """
    means = activations.mean(dim=(2, 3))
    if head.weights is not None:
        drops = head.weights[targets] * means
    else:
        sources = means[:, :, None, None] if head.pooled else activations
        drops = torch.stack([_drops(row, source, try_head) for row, source in enumerate(sources)])
    return einsum("bd,bdhw->bhw", drops, activations).relu()


def _drops(row: int, source: Tensor, try_head: Callable[..., Tensor]) -> Tensor:
    """Return y - y without A_d, shape (D,); the untouched activations come last."""
    channels = len(source)

    def ablated(first: int, last: int) -> Tensor:
        variants = source.repeat(last - first, 1, 1, 1)
        numbers = torch.arange(first, min(last, channels), device=source.device)
        variants[numbers - first, numbers] = 0
        return variants

    logits = try_head(row, ablated, channels + 1)
    return logits[-1] - logits[:-1]
