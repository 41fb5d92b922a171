"""Gradient: how strongly the logit answers to each pixel; the field's "saliency"."""

from typing import Literal

from torch import Tensor

from xaibench.core.registry import method


@method(paper="simonyan2013saliency", family="gradient", sign="none")
def gradient(
    input_gradients: Tensor,
    *,
    part: Literal["absolute", "positive", "negative"] = "absolute",
) -> Tensor:
    """Return max over channels of |dy/dx|, shape (B, H, W).

    Options:
        part: ``positive`` and ``negative`` keep only the gradients of that sign.
    """
    if part == "absolute":
        return input_gradients.abs().amax(dim=1)
    return (input_gradients if part == "positive" else -input_gradients).relu().amax(dim=1)
