"""Skill: where a score lies between what is trivial and what can be reached."""

import numpy as np
from numpy.typing import ArrayLike

from xaibench.stats.clusters import Floats


def skill(
    score: ArrayLike, trivial: ArrayLike, upper: ArrayLike, *, higher_is_better: bool = True
) -> Floats:
    """Return (score - trivial) / (upper - trivial): 0 is trivial, 1 the upper bound.

    Below 0 a method is worse than not looking at the image; above 1 it beats the bound.

    Args:
        score: a number or an array.
        trivial: what a row reaches that doesn't look at the image.
        upper: what is taken as the bound.
        higher_is_better: direction of all three.

    Returns:
        The common shape, a float for numbers; NaN where ``upper`` isn't better than ``trivial``.

    >>> float(skill(0.5, 0.25, 0.75))
    0.5
    """
    base = np.asarray(trivial, float)
    gap = np.asarray(upper, float) - base
    better = gap > 0 if higher_is_better else gap < 0
    found: Floats = (np.asarray(score, float) - base) / np.where(better, gap, np.nan)
    return found
