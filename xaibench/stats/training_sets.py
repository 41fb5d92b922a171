"""New training sets: how much the mean varies with the images that networks have learned from.

Intervals and tests that cover new test images, and new trainings on the same images, take the
training sets as they are. Whoever trains anew on other images of the same kind asks for more: there
each fold, with its training set and its test images, is one observation of what could come out.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import t

from xaibench.stats.clusters import Codes, Floats, between, number, number_pairs


class TrainingSets(NamedTuple):
    """The fold of each unit, ``(N,)``, and a fold's test images over all others (1/(K-1))."""

    fold: Codes
    test_ratio: float


class SetSpread(NamedTuple):
    """Means and their corrected variance, ``(P,)`` each, and its degrees of freedom."""

    mean: Floats
    variance: Floats
    degrees: float


def training_sets(samples: ArrayLike, folds: ArrayLike, seeds: ArrayLike) -> TrainingSets | None:
    """Return what distinguishes training sets, or None where nothing does.

    A single fold has one training set. With a single seed nobody knows how much of what folds
    differ by is chance in training. Where every fold is tested on all images, as another dataset
    is, folds aren't observations of their own.

    Args:
        samples: ``(N,)``, as they are named.
        folds: ``(N,)``, of repeated cross-validation those of all repetitions.
        seeds: ``(N,)``.
    """
    sample, fold, seed = (number(labels) for labels in (samples, folds, seeds))
    if min(codes.max(initial=0) for codes in (fold, seed)) < 1:
        return None
    tested = np.unique(number_pairs(fold, sample)).size / (fold.max() + 1)
    others = np.unique(sample).size - tested
    return TrainingSets(fold, tested / others) if others > 0 else None


def set_spread(values: Floats, sets: TrainingSets) -> SetSpread | None:
    """Estimate the variance of means over new training sets (nadeau2003inference).

    Training sets of cross-validation overlap, so that folds resemble each other more than new
    training sets would, and their plain variance is too small. Nadeau and Bengio's correction adds
    the ratio of test to training images to 1 / (number of folds); with repeated cross-validation it
    is that of bouckaert2004evaluating. Where folds are in fact independent it is conservative.

    Args:
        values: ``(N, P)`` without NaN.
        sets: of the same units.

    Returns:
        None where all values are of one fold.
    """
    fold = number(sets.fold)
    folds = int(fold.max(initial=0)) + 1
    if folds == 1:
        return None
    rows = np.ascontiguousarray(values.T)
    mean = rows.mean(axis=1)
    residuals: Floats = (rows - mean[:, None]).T / rows.shape[1]
    variance, degrees = between(residuals, fold, np.zeros_like(fold))
    return SetSpread(mean, variance * (1 + folds * sets.test_ratio), degrees)


def set_reach(found: SetSpread, level: float = 0.95) -> Floats:
    """Return how far an interval reaches to either side of the mean, ``(P,)``."""
    reach: Floats = np.sqrt(found.variance) * t.ppf((1 + level) / 2, found.degrees)
    return reach


def set_intervals(values: Floats, sets: TrainingSets, level: float = 0.95) -> Floats:
    """Return the ends of the intervals of ``(N, M)``, ``(2, M)``; NaN where one fold is defined."""
    defined, ends = ~np.isnan(values), np.full((2, values.shape[1]), np.nan)
    kinds, kind = np.unique(np.packbits(defined, axis=0), axis=1, return_inverse=True)
    for each in range(kinds.shape[1]):
        alike = np.flatnonzero(kind.ravel() == each)
        inside = defined[:, alike[0]]
        some = sets._replace(fold=sets.fold[inside])
        if inside.any() and (found := set_spread(values[np.ix_(inside, alike)], some)):
            reach = set_reach(found, level)
            ends[:, alike] = found.mean - reach, found.mean + reach
    return ends


def set_p(found: SetSpread) -> Floats:
    """Return the two-sided p-values of means, ``(P,)``; 1 where mean and variance are 0."""
    mean, error = found.mean, np.sqrt(found.variance)
    ratio = np.divide(mean, error, out=np.where(mean == 0, 0, np.inf), where=error > 0)
    p: Floats = 2 * t.sf(np.abs(ratio), found.degrees)
    return p
