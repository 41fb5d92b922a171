"""Ranks that own up to ties: their intervals, letters for groups of ties, and agreement."""

from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import kendalltau

from xaibench.stats.clusters import Floats

_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def rank_intervals(
    means: ArrayLike, *, higher_is_better: bool, level: float = 0.95
) -> NDArray[np.int64]:
    """Return the interval of each column's rank, ``(M, 2)``, 1 being best.

    A column's best rank is one more than the number of columns that are clearly better, its worst
    one counts all that aren't clearly worse (mogstad2024ranks). Clearly is judged for all of a
    column's differences together, by the largest of their studentised deviations in a draw, so that
    the interval holds the true rank with the given confidence also where columns are equal.
    It is too short where three seeds or fewer move the scores more than images do: the draws don't
    know how little so few tell.

    Args:
        means: ``(draws, M)`` from `Resampling.means`.
        higher_is_better: direction of the scores.
        level: confidence, for each column by itself.

    Returns:
        Whole numbers; (0, 0) for a column without any mean.
    """
    table = np.asarray(means, float) * (1 if higher_is_better else -1)
    known = np.flatnonzero(~np.isnan(table).all(axis=0))
    found = np.zeros((table.shape[1], 2), np.int64)
    for column in known:
        gaps = table[:, known] - table[:, [column]]
        better, worse = _clearly(gaps, level)
        found[column] = 1 + better.sum(), len(known) - worse.sum()
    return found


def tie_groups(scores: ArrayLike, different: ArrayLike, *, higher_is_better: bool) -> list[str]:
    """Return letters for each column; two share one if and only if they don't differ.

    The compact letter display of piepho2004letters: start with a letter for all, split it at every
    difference, drop what another letter holds and what is not needed. The best column's first
    letter is ``a``.

    Args:
        scores: ``(M,)``, used for the order only; NaN gets no letter.
        different: ``(M, M)`` whether two columns differ significantly; either triangle will do.
        higher_is_better: direction of the scores.

    Returns:
        Letters in alphabetical order; beyond 26 a letter is followed by a number (``a1``).

    >>> differs = [[False, False, True], [False, False, False], [True, False, False]]
    >>> tie_groups([0.5, 0.4, 0.3], differs, higher_is_better=True)
    ['a', 'ab', 'b']
    """
    values = np.asarray(scores, float) * (-1 if higher_is_better else 1)
    apart = np.asarray(different, bool)
    apart = apart | apart.T
    order = [int(i) for i in np.argsort(values, kind="stable") if not np.isnan(values[i])]
    letters = [frozenset(range(len(order)))] if order else []
    for i, j in combinations(range(len(order)), 2):
        if apart[order[i], order[j]]:
            letters = _absorb(
                [
                    part
                    for letter in letters
                    for part in ((letter - {i}, letter - {j}) if {i, j} <= letter else (letter,))
                ]
            )
    found = [""] * len(values)
    for number, letter in enumerate(sorted(_needed(letters), key=sorted)):
        for position in sorted(letter):
            found[order[position]] += _name(number)
    return found


def kendall_tau(first: ArrayLike, second: ArrayLike) -> float:
    """Return Kendall's tau-b of two columns where both are defined (kendall1945tau).

    NaN with fewer than two such places, or where a column is constant on them.

    >>> round(kendall_tau([1, 2, 3, float("nan")], [1, 3, 2, 0]), 3)
    0.333
    """
    one, other = np.asarray(first, float), np.asarray(second, float)
    both = ~np.isnan(one) & ~np.isnan(other)
    if both.sum() < 2:  # noqa: PLR2004
        return float("nan")
    return float(kendalltau(one[both], other[both]).statistic)


def _clearly(gaps: Floats, level: float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which columns lie above zero and which below, with one critical value for all."""
    middle, width = np.nanmean(gaps, axis=0), np.nanstd(gaps, axis=0)
    # Rounding alone makes equal columns vary in the last bits.
    fixed = width <= 1e-12 * np.nanmax(np.abs(gaps), axis=0)
    scale = np.where(fixed, np.inf, width)
    deviations = np.abs(gaps - middle) / scale
    told = deviations[~np.isnan(deviations).all(axis=1)]  # a draw may hold no defined score
    critical = np.quantile(np.nanmax(told, axis=1), level)
    reach = np.where(fixed, 0, critical * width)
    return middle > reach, middle < -reach


def _absorb(letters: list[frozenset[int]]) -> list[frozenset[int]]:
    distinct = list(dict.fromkeys(letters))
    return [one for one in distinct if not any(one < other for other in distinct)]


def _needed(letters: list[frozenset[int]]) -> list[frozenset[int]]:
    """Drop letters all of whose pairs share another one, the last first."""
    kept = sorted(letters, key=sorted)
    for letter in reversed(kept[:]):
        others = [other for other in kept if other is not letter]
        pairs = [{i, j} for i in letter for j in letter]
        if all(any(pair <= other for other in others) for pair in pairs):
            kept = others
    return kept


def _name(number: int) -> str:
    lap, place = divmod(number, len(_LETTERS))
    return _LETTERS[place] + (str(lap) if lap else "")
