"""The Pointing Game: whether the highest point of a map lies in a mask, or near enough to it."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from xaibench.core.errors import XaibenchError
from xaibench.core.regions import mean_over, peaks, where_filled


def hits(
    metric: str, maps: Tensor, masks: Tensor, *, tolerance: float, pixels: int, strict: bool
) -> Tensor:
    """Return whether each map's peak lies inside the mask, ``(B,)``; NaN where the mask is empty.

    Where several pixels share the maximum, the chance that one drawn among them hits.

    Args:
        metric: its name, for messages.
        maps: ``(B, H, W)``.
        masks: ``(B, H, W)`` grades.
        tolerance: widens the mask by that share of the image's diagonal, in whole pixels.
        pixels: widens it by so many, in place of a share.
        strict: only pixels nearer than that hit; a share isn't cut to whole pixels then.

    Raises:
        XaibenchError: the distance is negative, given twice, or nothing can be nearer.
    """
    if not 0 <= tolerance < 1:
        raise XaibenchError(f"{metric}[tolerance={tolerance}]: choose a share of the diagonal.")
    if pixels < 0 or (pixels and tolerance):
        raise XaibenchError(
            f"{metric}[pixels={pixels}]: choose 0 or more pixels, or in their place a tolerance."
        )
    if strict and not (tolerance or pixels):
        raise XaibenchError(
            f"{metric}[strict=true]: give a tolerance or pixels; nothing is nearer than 0."
        )
    truth, highest = masks > 0, peaks(maps)
    reach = pixels or tolerance * math.hypot(*masks.shape[1:])
    # A hair off, as 0.29 of 100 is 28.999999999999996.
    furthest = math.ceil(reach**2 - 1e-6) - 1 if strict else int(reach + 1e-9) ** 2
    if furthest > 0:
        rows = zip(truth, highest, strict=True)
        return where_filled(torch.cat([_near(*row, furthest) for row in rows]), masks)
    return where_filled(mean_over(truth, highest), masks)


def _near(truth: Tensor, highest: Tensor, furthest: int) -> Tensor:
    """Return the share of a map's peaks that are near enough to the truth, ``(1,)``.

    A mask is widened no further than where peaks are: most often that is a single pixel.
    """
    radius = math.isqrt(furthest)
    frame = [
        slice(max(int(line[0]) - radius, 0), int(line[-1]) + radius + 1)
        for line in (highest.any(dim=1).nonzero(), highest.any(dim=0).nonzero())
    ]
    wide = _widen(truth[frame[0], frame[1]][None].float(), furthest) > 0
    return mean_over(wide, highest[frame[0], frame[1]][None])


def _widen(truth: Tensor, furthest: int) -> Tensor:
    """Grow the mask by a disc, given by the square of its radius, row by row of the disc."""
    height, radius = truth.shape[1], math.isqrt(furthest)
    padded = functional.pad(truth, (0, 0, radius, radius))
    grown = truth
    for offset in range(-radius, radius + 1):
        reach = math.isqrt(furthest - offset * offset)
        rows = padded[:, radius + offset : radius + offset + height]
        wide = functional.max_pool2d(rows, (1, 2 * reach + 1), stride=1, padding=(0, reach))
        grown = grown.maximum(wide)
    return grown
