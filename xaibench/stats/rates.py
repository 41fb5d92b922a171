"""Rates: Wilson's interval, Newcombe's of two, and an exact test of two."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binomtest, norm


class Interval(NamedTuple):
    """Two ends; floats, or arrays of one shape."""

    low: float
    high: float


class McNemar(NamedTuple):
    """How many cases only the first and only the second got right, and the two-sided p-value."""

    only_first: int
    only_second: int
    p: float


def wilson(successes: ArrayLike, count: ArrayLike, *, level: float = 0.95) -> Interval:
    """Return Wilson's score interval of a rate of independent cases (wilson1927).

    It stays inside [0, 1] and has a width even where all cases or none succeed. A fractional number
    of successes, such as a sum of expected hits where peaks tie, is taken as if a rate of the same
    height had been counted: each case varies less than a coin of its chance would, so the interval
    is a little too wide then, never too narrow.

    Args:
        successes: 0 to ``count``; a number or an array.
        count: cases, of a shape that goes with ``successes``.
        level: confidence.

    Returns:
        Ends of the common shape, floats for numbers; NaN where ``count`` is 0.

    >>> [round(end, 3) for end in wilson(27, 30)]
    [0.744, 0.965]
    """
    total = np.asarray(count, float)
    known = np.where(total > 0, total, np.nan)
    z = norm.ppf((1 + level) / 2)
    rate = np.asarray(successes, float) / known
    middle = (rate + z**2 / (2 * known)) / (1 + z**2 / known)
    reach = z * np.sqrt(rate * (1 - rate) / known + z**2 / (4 * known**2)) / (1 + z**2 / known)
    # Rounding must not leave a rate of 0 or 1 outside its own interval.
    low, high = (
        np.minimum(middle - reach, rate).clip(0),
        np.maximum(middle + reach, rate).clip(max=1),
    )
    return Interval(float(low), float(high)) if low.ndim == 0 else Interval(low, high)


def mcnemar(first_right: ArrayLike, second_right: ArrayLike) -> McNemar:
    """Test whether two classifiers are right equally often on the same cases (mcnemar1947).

    Exact: of the cases that only one gets right, each is the first's with chance one half.

    Args:
        first_right: ``(N,)`` booleans.
        second_right: ``(N,)`` booleans of the same cases.

    >>> mcnemar([True, True, True, False], [False, True, False, False])
    McNemar(only_first=2, only_second=0, p=0.5)
    """
    first, second = np.asarray(first_right, bool), np.asarray(second_right, bool)
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    apart = only_first + only_second
    p = float(binomtest(only_first, apart).pvalue) if apart else 1.0
    return McNemar(only_first, only_second, p)


def newcombe(first_right: ArrayLike, second_right: ArrayLike, *, level: float = 0.95) -> Interval:
    """Return the interval of the first rate less the second, of the same cases.

    Wilson's intervals of both are put together by the correlation of the cases, which counts less
    where it is positive (method 10 of newcombe1998paired). It stays inside [-1, 1], and reaches to
    both sides of 0 where few cases distinguish the rates, even if these all say the same.

    Args:
        first_right: ``(N,)`` booleans.
        second_right: ``(N,)`` booleans of the same cases.
        level: confidence.

    Returns:
        NaN without cases.

    >>> [round(end, 3) for end in newcombe([True] * 32 + [False] * 18, [True] * 20 + [False] * 30)]
    [0.112, 0.353]
    """
    right = np.stack([np.asarray(first_right, bool), np.asarray(second_right, bool)])
    count, hits = right.shape[1], right.sum(axis=1)
    if not count:
        return Interval(float("nan"), float("nan"))
    rate, (low, high) = hits / count, wilson(hits, np.full(2, count), level=level)
    under, over = rate - low, high - rate
    shared = float(right.all(axis=0).sum() * count - hits[0] * hits[1])
    spread = float(np.sqrt(np.prod(hits.astype(float) * (count - hits))))
    likeness = min(shared, max(shared - count / 2, 0)) / spread if spread else 0.0

    def reach(one: float, other: float) -> float:
        return float(np.sqrt(one**2 - 2 * likeness * one * other + other**2))

    gap = float(rate[0] - rate[1])
    return Interval(gap - reach(under[0], over[1]), gap + reach(over[0], under[1]))
