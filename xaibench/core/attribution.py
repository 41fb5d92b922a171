"""Signed attributions of single values, folded into one map."""

from typing import Literal

from torch import Tensor

Polarity = Literal["absolute", "positive", "negative", "signed"]


def fold_channels(attributions: Tensor, part: Polarity) -> Tensor:
    """Add up the channels of ``(B, C, H, W)`` and keep the size of one part, ``(B, H, W)``.

    ``absolute`` takes evidence for and against the class alike, ``positive`` only evidence for it,
    ``negative`` the size of what speaks against it; ``signed`` keeps the sum as it is.
    """
    total = attributions.sum(dim=1)
    if part == "absolute":
        return total.abs()
    if part == "signed":
        return total
    return (total if part == "positive" else -total).relu()
