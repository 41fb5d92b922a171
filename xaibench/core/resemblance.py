"""How much two sets of maps resemble each other: rank correlation and structural similarity."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from skimage.metrics import structural_similarity
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from xaibench.core.rank_correlation import rank_correlation

Floats = NDArray[np.float64]

_ssim: Callable[..., float] = structural_similarity
# Maps are averaged down to this many pixels a side: a common size for maps of 7 x 7 and of
# 224 x 224, at which a shift by one pixel of a fine map is no difference yet.
_SIDE = 64
# Each map is compared with this many other images' maps to learn what chance reaches.
_SHIFTS = 4


class Resemblance(NamedTuple):
    """For each pair of maps the rank correlation in [-1, 1] and SSIM, ``(B,)`` each."""

    rank: Floats
    structure: Floats


def shrink(maps: Tensor) -> Floats:
    """Average maps ``(B, H, W)`` down to 64 x 64 pixels at most."""
    size = (min(maps.shape[1], _SIDE), min(maps.shape[2], _SIDE))
    small: Floats = adaptive_avg_pool2d(maps.double().cpu(), size).numpy()
    return small


def resemblance(ours: Floats, theirs: Floats) -> Resemblance:
    """Compare maps ``(B, H, W)`` in [0, 1], one by one.

    Rank correlation is Spearman's (ties share their mean rank); it is 1 for maps that are the same
    and NaN where just one of the two is constant, which orders no pixels. SSIM takes windows of
    7 x 7 pixels and a range of 1 (wang2004ssim).
    """
    pairs = zip(ours, theirs, strict=True)
    structure = [float(_ssim(one, other, data_range=1.0)) for one, other in pairs]
    return Resemblance(rank_correlation(ours, theirs), np.array(structure))


def chance(maps: Floats) -> Resemblance:
    """Return how much each map resembles maps of other images, on average.

    NaN for a single map, as there is no other image.
    """
    shifts = range(1, min(_SHIFTS, len(maps) - 1) + 1)
    if not shifts:
        return Resemblance(np.full(len(maps), np.nan), np.full(len(maps), np.nan))
    pairs = [resemblance(maps, np.roll(maps, shift, axis=0)) for shift in shifts]
    ranks = np.stack([pair.rank for pair in pairs])
    # A constant map orders nothing: it resembles no other by rank.
    return Resemblance(
        np.nan_to_num(ranks).mean(axis=0), np.stack([pair.structure for pair in pairs]).mean(axis=0)
    )
