"""Completeness: attributions that promise a sum, and by how much they miss it."""

import torch
from torch import Tensor

TOLERANCE = 0.05
"""Attributions that miss more than this share of their sum are called incomplete."""
# Where the owed sum is nearly nothing, this share of the absolute sum takes its place.
_LEAST = 0.01


def gaps(attributions: Tensor, owed: Tensor) -> Tensor:
    """Return the share ``(B,)`` of the owed sum that signed attributions miss.

    Args:
        attributions: ``(B, ...)``.
        owed: ``(B,)``; where it is below a hundredth of the attributions' absolute sum, that
            hundredth is what the gap is a share of.
    """
    parts = attributions.detach().flatten(1).double()
    size = owed.double().abs().maximum(_LEAST * parts.abs().sum(dim=1))
    missed = (parts.sum(dim=1) - owed.double()).abs()
    return torch.where(missed == 0, 0.0, missed / size)
