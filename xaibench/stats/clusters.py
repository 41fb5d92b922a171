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
    """A mean and what is known of its variance: the share of images and the share of seeds.

    ``degrees`` and ``seed_degrees`` are the degrees of freedom of either; a single seed has 0.
    """

    mean: float
    variance: float
    seed_variance: float
    degrees: float
    seed_degrees: float


def clusters(groups: ArrayLike, folds: ArrayLike, seeds: ArrayLike) -> Clusters:
    """Number groups, strata and seeds, in the order of their names, not of their appearance."""
    fold, seed, name = (_codes(labels) for labels in (folds, seeds, groups))
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
    """Estimate the mean's variance by leaving groups out in turn, and from sums over seeds.

    The degrees of freedom are those of as many equal groups as there really are to count on: a few
    large ones among many small ones leave few (bell2002bias).
    The seeds' share is what their means vary by beyond the interaction of seed and group; that
    interaction already stands in the groups' share.

    Args:
        values: ``(N,)`` without NaN, with two groups at least.
        units: their clusters.
    """
    mean = float(values.mean())
    residuals: Floats = (values - mean) / len(values)
    sums, degrees = sum_by(units.group, residuals), 0.0
    variance, strata = 0.0, strata_of_groups(units)
    sizes = np.bincount(units.group)
    for stratum in np.unique(strata):
        inside = strata == stratum
        share = sizes[inside] / sizes[inside].sum()
        # A large group draws the mean towards itself: without it, it would lie further off.
        off = (sums[inside] - share * sums[inside].sum()) / (1 - share)
        variance += (len(off) - 1) / len(off) * float(off @ off)
        degrees += 1 / float(share @ share) - 1
    of_seed = sum_by(units.seed, residuals)
    if len(of_seed) == 1:
        return Spread(mean, variance, 0.0, degrees, 0)
    seed_variance = len(of_seed) / (len(of_seed) - 1) * float(of_seed @ of_seed)
    seed_variance -= _interaction(residuals, units)
    return Spread(mean, variance, max(seed_variance, 0.0), degrees, len(of_seed) - 1)


def sum_by(code: Codes, values: Floats) -> Floats:
    """Sum ``(N,)``, or the rows of ``(N, M)``, that share a code; a row for each code."""
    shape = int(code.max(initial=-1)) + 1, len(code)
    sums: Floats = csr_array((np.ones(len(code)), (code, np.arange(len(code)))), shape) @ values
    return sums


def _interaction(residuals: Floats, units: Clusters) -> float:
    """Variance of the mean due to what neither its group nor its seed says of a unit."""
    rows, columns = int(units.group.max()) + 1, int(units.seed.max()) + 1
    cell = units.group * columns + units.seed
    sums = np.bincount(cell, residuals, rows * columns).reshape(rows, columns)
    counts = np.bincount(cell, minlength=rows * columns).reshape(rows, columns)
    expected = sums.sum(1, keepdims=True) / counts.sum(1, keepdims=True)
    expected = expected + sums.sum(0) / counts.sum(0)
    filled = int((counts > 0).sum())
    left = filled - rows - columns + 1
    if left < 1:
        return 0.0
    rest = sums - counts * expected
    return float((rest**2).sum()) * filled / left


def _codes(labels: ArrayLike) -> Codes:
    """Names compare as text, so that any hashable will do."""
    _, codes = np.unique(np.asarray(labels).astype(str), return_inverse=True)
    return codes
