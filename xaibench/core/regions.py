"""Parts of an image that metrics look at: by the mask's grades, or by the map's height.

A mask's *top* is its highest grade, where that is positive; its *outside* is its lowest grade,
where that is not positive. Binary masks {0, 1} have 1 on top and 0 outside, layered ones (-1 to 3)
have 3 on top and -1 outside. What lies between belongs to neither.
"""

import math

from torch import Tensor


def filled(masks: Tensor) -> Tensor:
    """Return which masks hold a positive grade, ``(B,)`` bool."""
    return (masks > 0).flatten(1).any(dim=1)


def top(masks: Tensor) -> Tensor:
    """Return where the mask has its highest grade, ``(B, H, W)`` bool; nowhere in empty masks."""
    return (masks == masks.amax(dim=(1, 2), keepdim=True)) & (masks > 0)


def outside(masks: Tensor) -> Tensor:
    """Return where the mask has its lowest grade, 0 or less, ``(B, H, W)`` bool."""
    return (masks == masks.amin(dim=(1, 2), keepdim=True)) & (masks <= 0)


def peaks(maps: Tensor) -> Tensor:
    """Return the pixels that share the map's maximum, ``(B, H, W)`` bool."""
    return maps == maps.amax(dim=(1, 2), keepdim=True)


def mean_over(values: Tensor, region: Tensor) -> Tensor:
    """Return the mean of values ``(B, H, W)`` over a region of each, ``(B,)``; NaN over none."""
    return (values * region).sum(dim=(1, 2)) / region.sum(dim=(1, 2))


def where_filled(values: Tensor, masks: Tensor) -> Tensor:
    """Return values ``(B,)`` or statistics ``(B, S)``, NaN where the mask is empty."""
    known = filled(masks)
    return values.where(known if values.ndim == 1 else known[:, None], math.nan)
