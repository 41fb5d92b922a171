"""Ranks that own up to ties: their intervals, letters for groups of ties, and agreement."""

import re
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import kendalltau, rankdata

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_LETTER = re.compile(r"[a-z]\d*")


def rank_intervals(
    scores: ArrayLike, different: ArrayLike, *, higher_is_better: bool
) -> NDArray[np.int64]:
    """Return the interval of each column's rank, ``(M, 2)``, 1 being best.

    A column's best rank is one more than the number of columns that are significantly better, its
    worst one counts all that aren't significantly worse (mogstad2024ranks). Where the differences
    were found by tests under Holm's correction, all intervals hold the true ranks together.

    Args:
        scores: ``(M,)``; they say which of two that differ is better.
        different: ``(M, M)`` whether two columns differ significantly; either triangle will do.
        higher_is_better: direction of the scores.

    Returns:
        Whole numbers; (0, 0) where the score is NaN.

    >>> differs = [[False, False, True], [False, False, False], [True, False, False]]
    >>> rank_intervals([0.5, 0.4, 0.3], differs, higher_is_better=True).tolist()
    [[1, 2], [1, 3], [2, 3]]
    """
    values = np.asarray(scores, float) * (1 if higher_is_better else -1)
    apart = np.asarray(different, bool)
    apart = apart | apart.T
    known = ~np.isnan(values)
    better = (apart & (values[None] > values[:, None])).sum(axis=1)
    worse = (apart & (values[None] < values[:, None])).sum(axis=1)
    ends = np.stack([1 + better, known.sum() - worse], axis=1)
    return np.where(known[:, None], ends, 0).astype(np.int64)


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
    # A letter is a whole number whose bits say which columns have it.
    letters = [2 ** len(order) - 1] if order else []
    for i, j in combinations(range(len(order)), 2):
        if apart[order[i], order[j]]:
            letters = _split(letters, 1 << i, 1 << j)
    places = [_places(letter) for letter in _needed(letters)]
    found = [""] * len(values)
    for number, letter in enumerate(sorted(places)):
        for position in letter:
            found[order[position]] += _name(number)
    return found


def tie_letters(text: str) -> list[str]:
    """Divide a row's letters as `tie_groups` writes them.

    >>> tie_letters("abz1")
    ['a', 'b', 'z1']
    """
    return _LETTER.findall(text)


def mean_ranks(scores: ArrayLike, *, higher_is_better: bool) -> NDArray[np.float64]:
    """Return each column's mean over lines of its rank within the line, ``(M,)``, 1 being best.

    Columns that tie within a line share the mean of their ranks (demsar2006comparisons). Only lines
    that all columns have count, for ranks among different rivals don't compare.

    Args:
        scores: ``(N, M)``, a line for each image.
        higher_is_better: direction of the scores.

    Returns:
        Numbers in [1, M]; NaN where no line is whole.

    >>> mean_ranks([[0.5, 0.4, 0.4], [0.1, 0.2, 0.9]], higher_is_better=True).tolist()
    [2.0, 2.25, 1.75]
    """
    values = np.asarray(scores, float) * (-1 if higher_is_better else 1)
    whole = values[~np.isnan(values).any(axis=1)]
    if not len(whole):
        return np.full(values.shape[1], np.nan)
    found: NDArray[np.float64] = rankdata(whole, axis=1).mean(axis=0)
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


def _split(letters: list[int], one: int, other: int) -> list[int]:
    """Let two columns share no letter, and drop what another letter holds."""
    kept = [letter for letter in letters if letter & (one | other) != one | other]
    parts = [
        letter & ~bit
        for letter in letters
        if letter & one and letter & other
        for bit in (one, other)
    ]
    parts = [part for part in parts if not any(part & letter == part for letter in kept)]
    distinct = dict.fromkeys(parts)
    return kept + [
        part
        for part in distinct
        if not any(part & larger == part and part != larger for larger in distinct)
    ]


def _needed(letters: list[int]) -> list[int]:
    """Drop letters all of whose pairs share another one, the last first."""
    kept = sorted(letters, key=_places)
    for letter in reversed(kept[:]):
        others = [other for other in kept if other != letter]
        if all(letter & _union(others, 1 << place) == letter for place in _places(letter)):
            kept = others
    return kept


def _union(letters: list[int], bit: int) -> int:
    """Return all columns that share a letter with one."""
    found = 0
    for letter in letters:
        found |= letter if letter & bit else 0
    return found


def _places(letter: int) -> list[int]:
    """Return the places of the bits that are set."""
    return [place for place in range(letter.bit_length()) if letter >> place & 1]


def _name(number: int) -> str:
    lap, place = divmod(number, len(_LETTERS))
    return _LETTERS[place] + (str(lap) if lap else "")
