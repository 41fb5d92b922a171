"""Equivalence beside difference: is one no worse than the other by more than a margin?"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from xaibench.stats.paired import paired_test

_HALVINGS = 12


class Equivalence(NamedTuple):
    """One-sided p-values: that the first is not worse, or not better, by the margin; and of both.

    ``both`` is that of equivalence: the larger of the two (schuirmann1987tost).
    """

    not_worse: float
    not_better: float
    both: float


def equivalence_test(
    a: ArrayLike,
    b: ArrayLike,
    groups: ArrayLike,
    folds: ArrayLike,
    seeds: ArrayLike,
    *,
    margin: float,
) -> Equivalence:
    """Test by two one-sided tests whether the mean of a - b lies within a margin of 0.

    Each is `paired_test` of differences that the margin has been added to or taken from, so that
    groups, folds and trainings count as in tests of a difference.

    Args:
        a: ``(N,)`` scores, NaN where undefined; higher is better.
        b: ``(N,)`` scores of the same units.
        groups: ``(N,)``.
        folds: ``(N,)``.
        seeds: ``(N,)``.
        margin: largest difference that doesn't matter, > 0.

    Returns:
        NaN with fewer than two groups.
    """
    first, second = np.asarray(a, float), np.asarray(b, float)

    def one_sided(shifted: np.ndarray) -> float:
        p = paired_test(shifted, 0 * shifted, groups, folds, seeds)
        return p / 2 if np.nanmean(shifted) > 0 else 1 - p / 2

    if np.isnan(first - second).all():
        return Equivalence(*[float("nan")] * 3)
    not_worse, not_better = (one_sided(sign * (first - second) + margin) for sign in (1, -1))
    return Equivalence(not_worse, not_better, float(np.maximum(not_worse, not_better)))


def smallest_margin(
    a: ArrayLike,
    b: ArrayLike,
    groups: ArrayLike,
    folds: ArrayLike,
    seeds: ArrayLike,
    *,
    level: float = 0.05,
) -> float:
    """Return the smallest margin by which `equivalence_test` shows a to be no worse than b.

    To a thousandth of the largest difference; 0 where a is shown to be better, NaN with fewer than
    two groups or where no margin is enough.

    Args:
        a: ``(N,)`` scores, NaN where undefined; higher is better.
        b: ``(N,)`` scores of the same units.
        groups: ``(N,)``.
        folds: ``(N,)``.
        seeds: ``(N,)``.
        level: of the one-sided test.
    """
    gap = np.abs(np.asarray(a, float) - np.asarray(b, float))

    def shown(margin: float) -> bool:
        return equivalence_test(a, b, groups, folds, seeds, margin=margin).not_worse <= level

    low, high = 0.0, 4 * float(np.nanmax(gap, initial=0))
    if shown(low):
        return 0.0
    if not shown(high):
        return float("nan")
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if shown(middle) else (middle, high)
    return high
