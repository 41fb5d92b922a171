"""How rare a sum is among all signs of its terms: counted, or by a saddle-point approximation."""

import numpy as np
from scipy.special import ndtr

from xaibench.stats.clusters import Floats

_ALL_TRIED = 12  # terms of a table up to which all 2^12 signs are tried at once
_COUNTED = 20  # terms that aren't 0, of one column, up to which all its signs are counted
_BORDERLINE_COUNTED = 30  # and up to which they are where the approximation says less than
_BORDERLINE = 0.01
_SUMS_IN_MEMORY = 2**22
_SLACK = 1e-12  # far above rounding errors, far below the difference between two sums
_STEPS = 60
_CLOSE = 1e-9
_CENTER = 1e-3  # below it the correction, a difference of two large numbers, is nothing
_DIVISORS = 12
_WHOLE = 1e-6
_PROBE = 24


def sign_flip_p(sums: Floats) -> Floats:
    """Return for each column the share of all signs of its terms that make a sum as large.

    Up to 12 terms, and columns of up to 20 terms that aren't 0, have their signs counted; so do
    those of up to 30 whose p-value is small. Of others the share is lugannani1980saddlepoint's
    approximation, as robinson1982saddlepoint advises; where all terms are multiples of one step,
    such as hits, it is daniels1987tail's for such sums. Its relative error is about 1 %, also where
    p is tiny.

    Args:
        sums: ``(G, P)``.

    Returns:
        ``(P,)``, two-sided; 1 where all terms are 0.
    """
    if len(sums) <= _ALL_TRIED:
        return _try_all(sums)
    size = np.abs(sums).max(axis=0)
    nonzero = (np.abs(sums) > _SLACK * size).sum(axis=0)
    p = np.ones(sums.shape[1])
    width = max(_SUMS_IN_MEMORY // len(sums), 1)
    many = np.flatnonzero(nonzero > _COUNTED)
    for start in range(0, len(many), width):
        some = many[start : start + width]
        p[some] = np.maximum(_saddle_point(sums[:, some]), 2.0 ** (1 - nonzero[some]))
    few = (nonzero > 0) & (nonzero <= _COUNTED)
    few |= (nonzero > 0) & (nonzero <= _BORDERLINE_COUNTED) & (p < _BORDERLINE)
    for at in np.flatnonzero(few):
        column = sums[:, at]
        p[at] = _count(column[np.abs(column) > _SLACK * size[at]])
    return p


def _try_all(sums: Floats) -> Floats:
    rows = np.ascontiguousarray(sums.T)  # so that sums don't depend on what is beside them
    # Sums that are equal but for rounding count as reached.
    enough = np.abs(rows.sum(axis=1)) - _SLACK * np.abs(rows).sum(axis=1)
    bits = np.arange(2 ** len(sums))[:, None] >> np.arange(len(sums)) & 1
    signs = np.where(bits, -1.0, 1.0)
    reached = np.zeros(sums.shape[1])
    for block in np.array_split(signs, len(signs) * sums.shape[1] // _SUMS_IN_MEMORY + 1):
        reached += (np.abs(block @ sums) >= enough).sum(axis=0)
    found: Floats = reached / len(signs)
    return found


def _count(terms: Floats) -> float:
    """Return the share of all signs of ``(G,)`` that make a sum as large (horowitz1974partitions).

    Each sum of one half is told by bisection how many of the other's take it there.
    """
    if len(terms) == 1:
        return 1.0
    half = len(terms) // 2
    one, other = np.sort(_signed_sums(terms[:half])), np.sort(_signed_sums(terms[half:]))
    least = abs(terms.sum()) - _SLACK * np.abs(terms).sum()
    reached = len(other) * len(one) - np.searchsorted(other, least - one[::-1]).sum()
    # As many reach it from below; a sum of 0 is reached from both sides.
    return float(min(2 * reached / 2 ** len(terms), 1))


def _signed_sums(terms: Floats) -> Floats:
    sums = np.zeros(1)
    for value in terms:
        sums = np.concatenate([sums + value, sums - value])
    return sums


def _saddle_point(sums: Floats) -> Floats:
    """Return twice the upper tail's probability at each column's sum."""
    scale = np.sqrt((sums**2).sum(axis=0))
    terms = np.abs(sums) / scale
    half_step = _half_step(terms)
    at = (np.abs(sums.sum(axis=0)) / scale - half_step).clip(0)
    tilt = _tilt(terms, at)
    bent = np.tanh(terms * tilt)
    spread = np.sqrt((terms**2 * (1 - bent**2)).sum(axis=0).clip(np.finfo(float).tiny))
    cumulant = (np.logaddexp(terms * tilt, -terms * tilt) - np.log(2)).sum(axis=0)
    w = np.sqrt((2 * (tilt * at - cumulant)).clip(0))
    lattice = half_step > 0
    steps = np.where(lattice, half_step, 1.0)
    u = np.where(lattice, np.sinh((steps * tilt).clip(max=300)) / steps, tilt) * spread
    central = w < _CENTER
    u, reach = np.where(central, 1.0, u), np.where(central, 1.0, w)
    correction = np.where(central, 0.0, 1 / u.clip(np.finfo(float).tiny) - 1 / reach)
    tail = ndtr(-w) + np.exp(-(w**2) / 2) / np.sqrt(2 * np.pi) * correction
    found: Floats = (2 * tail).clip(0, 1)
    return found


def _tilt(terms: Floats, at: Floats) -> Floats:
    """Solve sum(terms * tanh(terms * tilt)) = at by Newton's steps, which come from below."""
    tilt = at.copy()  # the terms' squares add up to 1
    most = 40 / terms.max(axis=0)
    left = np.arange(len(at))
    for _ in range(_STEPS):
        part = terms[:, left]
        bent = np.tanh(part * tilt[left])
        gap = at[left] - (part * bent).sum(axis=0)
        slope = (part**2 * (1 - bent**2)).sum(axis=0).clip(np.finfo(float).tiny)
        tilt[left] = np.minimum(tilt[left] + (gap / slope).clip(0), most[left])
        left = left[(gap > _CLOSE) & (tilt[left] < most[left])]
        if not len(left):
            break
    return tilt


def _half_step(terms: Floats) -> Floats:
    """Return half of the step between sums of each column, ``(P,)``; 0 where there is none."""
    smallest = np.where(terms > _SLACK, terms, np.inf).min(axis=0)
    found = np.zeros(terms.shape[1])
    for divisor in range(1, _DIVISORS + 1):
        left = np.flatnonzero(found == 0)
        # A look at a few terms drops nearly all columns of scores that are no counts.
        for rows in (terms[:_PROBE], terms):
            ratio = rows[:, left] / smallest[left] * divisor
            left = left[(np.abs(ratio - np.rint(ratio)) < _WHOLE * divisor).all(axis=0)]
        found[left] = smallest[left] / divisor
    return found
