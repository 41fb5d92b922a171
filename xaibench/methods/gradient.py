"""Gradient: how strongly the logit answers to each pixel; the field's "saliency"."""

from collections.abc import Callable
from typing import Literal

from torch import Tensor

from xaibench.core.registry import method


@method(paper="simonyan2013saliency", family="gradient", sign="none")
def gradient(
    images: Tensor,
    differentiate: Callable[[Tensor], Tensor],
    *,
    part: Literal["absolute", "positive", "negative"] = "absolute",
) -> Tensor:
    """Return max over channels of |dy/dx|, shape (B, H, W).

    Options:
        part: ``positive`` and ``negative`` keep only the gradients of that sign.
    """
    found = differentiate(images)
    if part == "absolute":
        return found.abs().amax(dim=1)
    return (found if part == "positive" else -found).relu().amax(dim=1)
