"""Precision at the values of true pixels, whose mean is the average precision."""

import torch
from torch import Tensor

from xaibench.core.overlap import ascending


def average_precision_of(maps: Tensor, truth: Tensor) -> Tensor:
    """Return each map's average precision, ``(B,)`` float64; NaN where the truth is empty.

    Args:
        maps: ``(B, H, W)``.
        truth: ``(B, H, W)`` bool.
    """
    return torch.stack([_of_one(row, true) for row, true in zip(maps, truth, strict=True)])


def _of_one(values: Tensor, truth: Tensor) -> Tensor:
    """Return the mean over true pixels of the precision at their value."""
    inside, beyond = ascending(values[truth]), ascending(values[~truth])
    hits = len(inside) - torch.searchsorted(inside, inside)
    misses = len(beyond) - torch.searchsorted(beyond, inside)
    return (hits.double() / (hits + misses)).mean()
