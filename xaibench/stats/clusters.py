"""What belongs together: groups and trainings within folds; and how sure a mean is."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]
_SMALL = 2**22


class Clusters(NamedTuple):
    """Whole numbers from 0 for each unit: its group, training and stratum, ``(N,)`` each.

    A group is one of a fold, and so is a training: a seed that trains again on other images gives
    a network no more like the first than another seed does. Groups and trainings of one fold make
    a stratum. Where a fold has a single group, or a single training and another fold several, it
    tells nothing of their spread: all folds make one stratum, and a seed's trainings one training.
    """

    group: Codes
    training: Codes
    stratum: Codes

    @property
    def retrained(self) -> bool:
        """Whether there are trainings that differ in nothing but their seed."""
        return int(self.training.max(initial=0)) > int(self.stratum.max(initial=0))


class Spread(NamedTuple):
    """Means, ``(P,)``, and what is known of their variance: the shares of images and of trainings.

    ``degrees`` and ``training_degrees`` are the degrees of freedom of either; a single seed has 0.
    """

    mean: Floats
    variance: Floats
    training_variance: Floats
    degrees: float
    training_degrees: float


def clusters(groups: ArrayLike, folds: ArrayLike, seeds: ArrayLike) -> Clusters:
    """Number groups, trainings and strata, in the order of their names, not of their appearance."""
    fold, seed, name = (number(labels) for labels in (folds, seeds, groups))
    group, training = (number_pairs(fold, each) for each in (name, seed))
    groups_in, trainings_in = (np.bincount(belonging(codes, fold)) for codes in (group, training))
    if (groups_in == 1).any() or (trainings_in == 1).any() != (trainings_in == 1).all():
        return Clusters(group, seed, np.zeros_like(fold))
    return Clusters(group, training, fold)


def merge_folds(samples: ArrayLike, folds: ArrayLike, seeds: ArrayLike) -> tuple[Codes, Codes]:
    """Return numbers for folds and seeds, ``(N,)`` each.

    Folds that test the same images, as where another dataset is tested on, make no other groups:
    they are one, and their trainings further seeds.
    """
    sample, fold, seed = (number(labels) for labels in (samples, folds, seeds))
    tested = np.unique(number_pairs(fold, sample)).size
    if tested > np.unique(sample).size:
        return np.zeros_like(fold), number_pairs(fold, seed)
    return fold, seed


def number_pairs(first: Codes, second: Codes) -> Codes:
    """Number the pairs of two codes that units have from 0, in their order, ``(N,)``."""
    return _renumber(first * (second.max(initial=0) + 1) + second)


def belonging(codes: Codes, whole: Codes) -> Codes:
    """Return what each code belongs to, from what its units do: a group's stratum, say."""
    found = np.zeros(codes.max(initial=-1) + 1, np.intp)
    found[codes] = whole
    return found


def spread(values: Floats, units: Clusters) -> Spread:
    """Estimate the variance of means by leaving groups, and trainings, out in turn.

    The degrees of freedom are those of as many equal groups as there really are to count on: a few
    large ones among many small ones leave few (bell2002bias).
    The trainings' share is what their means vary by beyond the interaction of training and group;
    that interaction already is in the groups' share.

    Args:
        values: ``(N, P)`` without NaN, with two groups at least.
        units: their clusters.
    """
    # Numpy sums most exactly along memory.
    rows = np.ascontiguousarray(values.T)
    mean = rows.mean(axis=1)
    residuals: Floats = (rows - mean[:, None]).T / rows.shape[1]
    variance, degrees = between(residuals, units.group, units.stratum)
    if not units.retrained:
        return Spread(mean, variance, np.zeros(len(mean)), degrees, 0)
    of_training, training_degrees = between(residuals, units.training, units.stratum)
    beyond = (of_training - interaction(residuals, units)).clip(0)
    return Spread(mean, variance, beyond, degrees, training_degrees)


def between(residuals: Floats, codes: Codes, stratum: Codes) -> tuple[Floats, float]:
    """Return the variance of means by what clusters of a stratum differ by, and its degrees."""
    sums, strata, sizes = sum_by(codes, residuals), belonging(codes, stratum), np.bincount(codes)
    variance, degrees = np.zeros(residuals.shape[1]), 0.0
    for each in np.unique(strata):
        inside = strata == each
        share = sizes[inside] / sizes[inside].sum()
        own = np.ascontiguousarray(sums[inside].T)
        # A large cluster draws the mean toward itself: without it, it would lie further off.
        off = (own - share * own.sum(axis=1, keepdims=True)) / (1 - share)
        variance += (len(share) - 1) / len(share) * squared_lengths(off)
        degrees += 1 / float(share @ share) - 1
    return variance, degrees


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
    if values.ndim > 1 and values.shape[1] == 1:  # in the same order, without making a matrix
        return np.asarray(np.bincount(code, values[:, 0], count)[:, None], float)
    shape = max(int(code.max(initial=-1)) + 1, count), len(code)
    sums: Floats = csr_array((np.ones(len(code)), (code, np.arange(len(code)))), shape) @ values
    return sums


def number(labels: ArrayLike) -> Codes:
    """Number distinct labels from 0: integers by size, all else as text, so that any will do."""
    table = np.asarray(labels)
    if table.dtype.kind == "i" and table.size and table.min() >= 0 and table.max() < _SMALL:
        return _renumber(table.astype(np.intp))
    _, codes = np.unique(
        table if table.dtype.kind == "i" else table.astype(str), return_inverse=True
    )
    return codes


def _renumber(codes: Codes) -> Codes:
    """Number whole numbers that aren't too large from 0, without sorting them."""
    if codes.max(initial=0) >= _SMALL:
        return np.unique(codes, return_inverse=True)[1]
    there = np.zeros(int(codes.max(initial=-1)) + 1, np.intp)
    there[codes] = 1
    found: Codes = (np.cumsum(there) - 1)[codes]
    return found


def interaction(residuals: Floats, units: Clusters) -> Floats:
    """Return the variance of means due to what neither group nor training says of a unit."""
    cell = number_pairs(units.group, units.training)
    group, training, stratum = (belonging(cell, codes) for codes in units)
    count = np.bincount(cell)
    left = len(count) - sum(int(codes.max()) + 1 for codes in (group, training)) + stratum.max() + 1
    if left < 1:
        return np.zeros(residuals.shape[1])
    sums = sum_by(cell, residuals)

    def means(codes: Codes) -> Floats:
        found: Floats = (sum_by(codes, sums) / np.bincount(codes, count)[:, None])[codes]
        return found

    expected = means(group) + means(training) - means(stratum)
    rest = np.ascontiguousarray((sums - count[:, None] * expected).T)
    found: Floats = squared_lengths(rest) * len(count) / left
    return found
