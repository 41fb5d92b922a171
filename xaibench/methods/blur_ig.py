"""Blur IG: the gradient along the way from a blurred image to the sharp one."""

from collections.abc import Callable

import torch
from torch import Tensor

from xaibench.core.attribution import Polarity, fold_channels
from xaibench.core.errors import XaibenchError
from xaibench.core.registry import method

# Beyond so many standard deviations a Gaussian counts for nothing.
_REACH = 4


@method(paper="xu2020blurig", family="gradient", sign="none")
def blur_ig(
    images: Tensor,
    differentiate: Callable[[Tensor], Tensor],
    target_logits: Callable[[Tensor], Tensor],
    promise: Callable[[Tensor, Tensor], None],
    *,
    steps: int = 100,
    sigma: float = 50.0,
    part: Polarity = "absolute",
) -> Tensor:
    """Return |sum_c sum_j dy/dx_j * (x_j - x_{j+1})|, shape (B, H, W).

    x_j is the image blurred by ``j / steps * sigma`` pixels; beyond the border it is black.

    Options:
        steps: on the way.
        sigma: width of the strongest blur, in pixels.
        part: the part of the signed sum that is kept.
    """
    if steps < 1 or sigma <= 0:
        raise XaibenchError("blur_ig: 'steps' from 1, 'sigma' above 0.")
    total, here = torch.zeros_like(images), images
    for step in range(steps):
        blurred = _blur(images, (step + 1) / steps * sigma)
        total += differentiate(here) * (here - blurred)
        here = blurred
    ends = target_logits(torch.stack([images, here], dim=1).flatten(0, 1))
    promise(total, ends[0::2] - ends[1::2])
    return fold_channels(total, part)


def _blur(images: Tensor, sigma: float) -> Tensor:
    down, across = (_gaussian(length, sigma).to(images) for length in images.shape[2:])
    return down @ images @ across.mT


def _gaussian(length: int, sigma: float) -> Tensor:
    """Return the matrix ``(length, length)`` that blurs a column."""
    reach = int(_REACH * sigma + 0.5)
    steps = torch.arange(-reach, reach + 1, dtype=torch.float64)
    kernel = torch.exp(-0.5 * (steps / sigma) ** 2)
    apart = torch.arange(length)[:, None] - torch.arange(length)
    inside = apart.abs() <= reach
    return torch.where(inside, (kernel / kernel.sum())[apart.clamp(-reach, reach) + reach], 0.0)
