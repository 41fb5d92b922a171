"""Whether means of clustered differences are zero: many columns at once, under the same signs."""

from functools import lru_cache

import numpy as np
from scipy.stats import t

from xaibench.stats.clusters import Clusters, Floats, spread, sum_by

_FLIPS = 9999
_EXACT = 12  # groups up to which all 2^12 signs are tried
_BUNDLES = 512
_SUMS_IN_MEMORY = 2**22
_SMALLEST = 1e-15
# Each halves the range of a p-value's logarithm.
_HALVINGS = 40


def mean_tests(differences: Floats, units: Clusters) -> Floats:
    """Return the p-value of each column of ``(N, P)`` without NaN, ``(P,)``; see `paired_test`.

    Args:
        differences: of units in two groups at least.
        units: their clusters.
    """
    p = np.ones(differences.shape[1])
    moved = differences.any(axis=0)
    columns = differences[:, moved]
    p[moved] = _flip(sum_by(units.group, columns))
    if units.seed.any():
        p[moved] = np.maximum(p[moved], _two_way(columns, units))
    return p


def _flip(sums: Floats) -> Floats:
    """Return how often random signs of ``(G, P)`` make a sum as large, the given ones included."""
    if len(sums) > _BUNDLES:
        sums = sum_by(np.arange(len(sums)) % _BUNDLES, sums)
    observed = np.abs(sums.sum(axis=0))
    reached = np.zeros(sums.shape[1])
    signs = _signs(len(sums))
    for block in np.array_split(signs, len(signs) * sums.shape[1] // _SUMS_IN_MEMORY + 1):
        # Sums that are equal but for rounding count as reached.
        reached += (np.abs(block @ sums) >= observed * (1 - 1e-9)).sum(axis=0)
    if len(sums) <= _EXACT:
        return reached / len(signs)
    squares = np.maximum((sums**2).sum(axis=0), np.finfo(float).tiny)
    bound = 2 * np.exp(-(observed**2) / (2 * squares))
    return np.where(bound < 1 / (_FLIPS + 1), bound, (reached + 1) / (_FLIPS + 1))


@lru_cache(maxsize=8)
def _signs(count: int) -> Floats:
    """All signs of a few, drawn ones of many, ``(flips, count)``."""
    if count <= _EXACT:
        bits = np.arange(2**count)[:, None] >> np.arange(count) & 1
    else:
        bits = np.random.default_rng(count).integers(0, 2, (_FLIPS, count))
    return np.where(bits, -1.0, 1.0)


def _two_way(columns: Floats, units: Clusters) -> Floats:
    """Return the levels at which the columns' intervals would end at zero."""
    spreads = np.array([spread(column, units) for column in columns.T]).reshape(-1, 5)
    mean, variance, seed_variance, degrees, seed_degrees = spreads.T
    low, high = np.full(len(mean), np.log(_SMALLEST)), np.zeros(len(mean))
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        tail = np.exp(middle) / 2
        own = t.isf(tail, degrees) ** 2 * variance
        beyond = own + t.isf(tail, seed_degrees) ** 2 * seed_variance > mean**2
        low, high = np.where(beyond, middle, low), np.where(beyond, high, middle)
    return np.exp(high)
