"""What belongs together: groups within folds, crossed with seeds; and how sure a mean is."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]


class Clusters(NamedTuple):
    """Whole numbers from 0 for each unit: its group, its stratum and its seed, ``(N,)`` each.

    A group is one of a fold. Groups of one fold make a stratum; where a fold has a single group,
    which tells nothing of its spread, all folds make one.
    """

    group: Codes
    stratum: Codes
    seed: Codes


class Spread(NamedTuple):
    """Means, ``(P,)``, and what is known of their variance: the shares of images and of seeds.

    ``degrees`` and ``seed_degrees`` are the degrees of freedom of either; a single seed has 0.
    """

    mean: Floats
    variance: Floats
    seed_variance: Floats
    degrees: float
    seed_degrees: int


def clusters(groups: ArrayLike, folds: ArrayLike, seeds: ArrayLike) -> Clusters:
    """Number groups, strata and seeds, in the order of their names, not of their appearance."""
    fold, seed, name = (number(labels) for labels in (folds, seeds, groups))
    _, group = np.unique(fold * (name.max(initial=0) + 1) + name, return_inverse=True)
    stratum_of = np.zeros(group.max(initial=-1) + 1, np.intp)
    stratum_of[group] = fold
    alone = (np.bincount(stratum_of) == 1).any()
    return Clusters(group, np.zeros_like(fold) if alone else fold, seed)


def strata_of_groups(units: Clusters) -> Codes:
    """Return each group's stratum, ``(G,)``."""
    found = np.zeros(units.group.max(initial=-1) + 1, np.intp)
    found[units.group] = units.stratum
    return found


def spread(values: Floats, units: Clusters) -> Spread:
    """Estimate the variance of means by leaving groups out in turn, and from sums over seeds.

    The degrees of freedom are those of as many equal groups as there really are to count on: a few
    large ones among many small ones leave few (bell2002bias).
    The seeds' share is what their means vary by beyond the interaction of seed and group; that
    interaction already stands in the groups' share.

    Args:
        values: ``(N, P)`` without NaN, with two groups at least.
        units: their clusters.
    """
    # Numpy sums most exactly along memory.
    rows = np.ascontiguousarray(values.T)
    mean = rows.mean(axis=1)
    residuals: Floats = (rows - mean[:, None]) / rows.shape[1]
    sums, degrees = sum_by(units.group, residuals.T), 0.0
    variance, strata = np.zeros(len(mean)), strata_of_groups(units)
    sizes = np.bincount(units.group)
    for stratum in np.unique(strata):
        inside = strata == stratum
        share = sizes[inside] / sizes[inside].sum()
        own = np.ascontiguousarray(sums[inside].T)
        # A large group draws the mean towards itself: without it, it would lie further off.
        off = (own - share * own.sum(axis=1, keepdims=True)) / (1 - share)
        variance += (len(share) - 1) / len(share) * squared_lengths(off)
        degrees += 1 / float(share @ share) - 1
    of_seed = np.ascontiguousarray(sum_by(units.seed, residuals.T).T)
    seeds = of_seed.shape[1]
    if seeds == 1:
        return Spread(mean, variance, np.zeros(len(mean)), degrees, 0)
    seed_variance = seeds / (seeds - 1) * squared_lengths(of_seed) - _interaction(residuals, units)
    return Spread(mean, variance, seed_variance.clip(0), degrees, seeds - 1)


def squared_lengths(rows: Floats) -> Floats:
    """Return the squared length of each row of ``(P, N)``."""
    return np.array([row @ row for row in rows])


def count_groups(values: Floats, group: Codes) -> NDArray[np.int64]:
    """Count the groups that each column of ``(N, M)`` is defined for, ``(M,)``."""
    found: NDArray[np.int64] = (sum_by(group, (~np.isnan(values)).astype(float)) > 0).sum(axis=0)
    return found


def sum_by(code: Codes, values: Floats, count: int = 0) -> Floats:
    """Sum ``(N,)``, or the rows of ``(N, M)``, that share a code; a row for each code.

    There are ``count`` rows at least.
    """
    shape = max(int(code.max(initial=-1)) + 1, count), len(code)
    sums: Floats = csr_array((np.ones(len(code)), (code, np.arange(len(code)))), shape) @ values
    return sums


def number(labels: ArrayLike) -> Codes:
    """Number distinct labels from 0: integers by size, all else as text, so that any will do."""
    table = np.asarray(labels)
    _, codes = np.unique(table if table.dtype.kind == "i" else table.astype(str),
                         return_inverse=True)  # fmt: skip
    return codes


def _interaction(residuals: Floats, units: Clusters) -> Floats:
    """Return the variance of means due to what neither its group nor its seed says of a unit."""
    rows, columns = int(units.group.max()) + 1, int(units.seed.max()) + 1
    cell = units.group * columns + units.seed
    sums = sum_by(cell, residuals.T, rows * columns).T.reshape(-1, rows, columns)
    counts = np.bincount(cell, minlength=rows * columns).reshape(rows, columns)
    expected = sums.sum(2, keepdims=True) / counts.sum(1, keepdims=True)
    expected = expected + sums.sum(1, keepdims=True) / counts.sum(0)
    filled = int((counts > 0).sum())
    left = filled - rows - columns + 1
    if left < 1:
        return np.zeros(len(sums))
    rest = (sums - counts * expected).reshape(len(sums), -1)
    found: Floats = (rest**2).sum(axis=1) * filled / left
    return found
