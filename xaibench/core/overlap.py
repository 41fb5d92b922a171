"""Overlap of binary regions, with what is undefined kept undefined."""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from xaibench.core.errors import XaibenchError

Of = Literal["maximum", "scale"]
GRID = tuple(step / 100 for step in range(1, 101))
"""Thresholds to choose among, as shares of the maximum."""


def binarize(maps: Tensor, threshold: float) -> Tensor:
    """Return ``map >= threshold * max(map)``; a map of zeros marks nothing, ``(B, H, W)`` bool."""
    highest = maps.flatten(1).amax(dim=1)[:, None, None]
    return (maps >= threshold * highest) & (highest > 0)


def mark(metric: str, maps: Tensor, threshold: float, of: Of) -> Tensor:
    """Return which pixels a metric's threshold marks, ``(B, H, W)`` bool.

    The threshold is a share of each map's maximum (a map of zeros marks nothing), or the limit
    itself: a share of the scale from 0 to 1.

    Raises:
        XaibenchError: a threshold that marks all or nothing, whatever the map.
    """
    if not 0 < threshold <= 1:
        raise XaibenchError(f"{metric}[threshold={threshold}]: choose a number above 0, up to 1.")
    return binarize(maps, threshold) if of == "maximum" else maps >= threshold


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
    last = _kth_highest(values, count.clamp(min=1))[:, None]
    above, level = values > last, values == last
    room = count - above.sum(dim=1)
    sure = (above & inside).sum(dim=1)
    shared = sure + room * (level & inside).sum(dim=1) / level.sum(dim=1)
    return shared.where(values.amax(dim=1) > 0, 0.0)


def _kth_highest(values: Tensor, count: Tensor) -> Tensor:
    """Return each row's k-th highest value, ``(B,)``."""
    if not values.is_cpu:
        return values.sort(dim=1, descending=True).values.gather(1, count[:, None] - 1)[:, 0]
    # Torch sorts whole rows for it on the CPU, which takes a hundred times as long.
    places = [values.shape[1] - k for k in count.tolist()]
    rows = zip(values.numpy(), places, strict=True)
    return torch.tensor([np.partition(row, place)[place] for row, place in rows])


def ascending(values: Tensor) -> Tensor:
    """Sort along the last dimension."""
    if not values.is_cpu:
        return values.sort(dim=-1).values
    # Torch keeps track of places, too, which takes thirty times as long.
    return torch.from_numpy(np.sort(values.numpy(), axis=-1))


def jaccard_curve(maps: Tensor, truth: Tensor, thresholds: Sequence[float]) -> Tensor:
    """Return the Jaccard index of (map >= threshold * max(map)) and the truth, ``(B, T)``.

    All thresholds come from one histogram: each pixel counts once, at the highest threshold that it
    reaches. NaN where the truth is empty; 0 for a map of zeros.

    Args:
        maps: ``(B, H, W)``.
        truth: ``(B, H, W)`` bool.
        thresholds: shares of the maximum, ascending.
    """
    inside, reached = truth.flatten(1), thresholds_reached(maps, thresholds).flatten(1)
    bins = len(thresholds) + 1
    counts = torch.zeros(len(maps), 2 * bins, dtype=torch.long, device=maps.device)
    counts.scatter_add_(1, reached + bins * inside, torch.ones_like(reached))
    at_least = counts.view(-1, 2, bins).flip(2).cumsum(dim=2).flip(2)[:, :, 1:]
    size = inside.sum(dim=1, keepdim=True)
    shared = at_least[:, 1]
    union = at_least.sum(dim=1) + size - shared
    return intersection_over_union(shared, union, size)


def thresholds_reached(maps: Tensor, thresholds: Sequence[float]) -> Tensor:
    """Return at how many thresholds, ascending shares of the maximum, a pixel is marked.

    ``(B, H, W)`` int64; a map of zeros reaches none.
    """
    highest = maps.amax(dim=(1, 2), keepdim=True)
    edges = torch.tensor(thresholds, device=maps.device) * highest.flatten(1)
    reached = torch.searchsorted(edges, maps.flatten(1), right=True)
    return reached.view_as(maps) * (highest > 0)
