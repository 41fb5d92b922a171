"""Whether means of clustered differences are zero: many columns at once, under the same signs."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.stats import t

from xaibench.stats.clusters import Clusters, Floats, Spread, spread, sum_by
from xaibench.stats.rounding import P_DIGITS, rounded

_FLIPS = 9999
_EXACT = 12  # groups up to which all 2^12 signs are tried
_HALVED = 30  # up to which all signs of their halves are
_BUNDLES = 512
_SUMS_IN_MEMORY = 2**22
_SMALLEST = 1e-15
_SLACK = 1e-12  # far above rounding errors, far below what tells two sums apart
# Each halves the range of a p-value's logarithm.
_HALVINGS = 40


class MeanTest(NamedTuple):
    """What tests need of P columns of differences.

    ``sums`` ``(G, P)`` are those of groups, or of bundles of many groups; ``spread`` is None where
    there is a single seed.
    """

    sums: Floats
    spread: Spread | None


def evidence(differences: Floats, units: Clusters) -> MeanTest:
    """Sum up columns ``(N, P)`` without NaN for `mean_tests`; many go into little memory.

    Args:
        differences: of units in two groups at least.
        units: their clusters.
    """
    sums = sum_by(units.group, differences)
    if len(sums) > _BUNDLES:
        # By chance: names go class by class, and bundles of all classes hide what these differ by.
        chance = np.random.default_rng(len(sums)).permutation(len(sums))
        sums = sum_by(chance % _BUNDLES, sums)
    return MeanTest(sums, spread(differences, units) if units.retrained else None)


def mean_tests(found: Sequence[MeanTest]) -> list[Floats]:
    """Return the p-values of columns, ``(P,)`` for each piece of evidence; see `paired_test`.

    They have `P_DIGITS` digits, so that a last one decides nothing.
    """
    p = _flip_alike([each.sums for each in found])
    several = [at for at, each in enumerate(found) if each.spread is not None]
    spreads = [spread for each in found if (spread := each.spread) is not None]
    for at, level in zip(several, _two_way(spreads), strict=True):
        p[at] = np.maximum(p[at], level)
    return [rounded(each, digits=P_DIGITS) for each in p]


def _flip_alike(tables: Sequence[Floats]) -> list[Floats]:
    """Flip the groups of many tables; those of one length share their signs."""
    found = [np.ones(0)] * len(tables)
    for length in {len(table) for table in tables}:
        places = [at for at, table in enumerate(tables) if len(table) == length]
        p = _flip(np.concatenate([tables[at] for at in places], axis=1))
        ends = np.cumsum([tables[at].shape[1] for at in places])[:-1]
        for at, part in zip(places, np.split(p, ends), strict=True):
            found[at] = part
    return found


def _flip(sums: Floats) -> Floats:
    """Return how often random signs of ``(G, P)`` make a sum as large, the given ones included."""
    rows = np.ascontiguousarray(sums.T)  # so that sums don't depend on what stands beside them
    observed = np.abs(rows.sum(axis=1))
    # Sums that are equal but for rounding count as reached.
    enough = observed - _SLACK * np.abs(rows).sum(axis=1)
    reached = np.zeros(sums.shape[1])
    signs = _signs(len(sums))
    for block in np.array_split(signs, len(signs) * sums.shape[1] // _SUMS_IN_MEMORY + 1):
        reached += (np.abs(block @ sums) >= enough).sum(axis=0)
    if len(sums) <= _EXACT:
        return reached / len(signs)
    drawn = (reached + 1) / (_FLIPS + 1)
    if len(sums) <= _HALVED:
        never = reached == 0
        drawn[never] = [_flip_halves(row) for row in rows[never]]
        return drawn
    squares = np.maximum((rows**2).sum(axis=1), np.finfo(float).tiny)
    bound = 2 * np.exp(-(observed**2) / (2 * squares))
    return np.where(bound < 1 / (_FLIPS + 1), bound, drawn)


def _flip_halves(row: Floats) -> float:
    """Return the share of all signs of ``(G,)`` that make a sum as large (horowitz1974partitions).

    Each sum of one half is told by bisection how many of the other's take it there.
    """
    half = len(row) // 2
    one, other = np.sort(_signed_sums(row[:half])), np.sort(_signed_sums(row[half:]))
    needed = abs(row.sum()) - _SLACK * np.abs(row).sum() - one[::-1]
    reached = len(other) * len(one) - np.searchsorted(other, needed).sum()
    return float(2 * reached / 2 ** len(row))  # as many reach it from below


def _signed_sums(row: Floats) -> Floats:
    sums = np.zeros(1)
    for value in row:
        sums = np.concatenate([sums + value, sums - value])
    return sums


@lru_cache(maxsize=8)
def _signs(count: int) -> Floats:
    """All signs of a few, drawn ones of many, ``(flips, count)``."""
    if count <= _EXACT:
        bits = np.arange(2**count)[:, None] >> np.arange(count) & 1
    else:
        bits = np.random.default_rng(count).integers(0, 2, (_FLIPS, count))
    return np.where(bits, -1.0, 1.0)


def _two_way(spreads: Sequence[Spread]) -> list[Floats]:
    """Return the levels at which the columns' intervals would end at zero."""
    if not spreads:
        return []
    sizes = [len(each.mean) for each in spreads]
    mean, variance, training_variance = (
        np.concatenate([each[at] for each in spreads]) for at in range(3)
    )
    degrees, training_degrees = (np.repeat([each[at] for each in spreads], sizes) for at in (3, 4))
    low, high = np.full(len(mean), np.log(_SMALLEST)), np.zeros(len(mean))
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        tail = np.exp(middle) / 2
        own = t.isf(tail, degrees) ** 2 * variance
        beyond = own + t.isf(tail, training_degrees) ** 2 * training_variance > mean**2
        low, high = np.where(beyond, middle, low), np.where(beyond, high, middle)
    return np.split(np.exp(high), np.cumsum(sizes)[:-1])
