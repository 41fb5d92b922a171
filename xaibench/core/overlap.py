"""Overlap of binary regions, with what is undefined kept undefined."""

import math

from torch import Tensor


def jaccard(predicted: Tensor, truth: Tensor) -> Tensor:
    """Return |P and T| / |P or T| of boolean ``(B, H, W)``; NaN where the truth is empty."""
    shared = (predicted & truth).flatten(1).sum(dim=1)
    union = (predicted | truth).flatten(1).sum(dim=1)
    return intersection_over_union(shared, union, truth.flatten(1).sum(dim=1))


def intersection_over_union(shared: Tensor, union: Tensor, truth_size: Tensor) -> Tensor:
    """Return shared / union, ``(B,)``; NaN where the truth is empty."""
    return (shared.float() / union.float()).where(truth_size > 0, math.nan)


def expected_top(maps: Tensor, truth: Tensor, count: Tensor) -> Tensor:
    """Return how many of each map's ``count`` highest pixels are true, ``(B,)``.

    Pixels tied at the last place share what room is left. A map of zeros has no highest pixels.
    """
    values, inside = maps.flatten(1), truth.flatten(1)
    ranked = values.sort(dim=1, descending=True).values
    last = ranked.gather(1, (count - 1).clamp(min=0)[:, None])
    above, level = values > last, values == last
    room = count - above.sum(dim=1)
    sure = (above & inside).sum(dim=1)
    shared = sure + room * (level & inside).sum(dim=1) / level.sum(dim=1)
    return shared.where(ranked[:, 0] > 0, 0.0)
