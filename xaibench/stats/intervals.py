"""Confidence intervals of means, from draws of `Resampling` made to fit small samples."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import norm, t

from xaibench.stats.clusters import Clusters, Floats, clusters, spread, squared_lengths, sum_by
from xaibench.stats.rates import Interval, wilson
from xaibench.stats.rounding import negligible


def interval(
    values: ArrayLike,
    means: ArrayLike,
    groups: ArrayLike,
    folds: ArrayLike,
    seeds: ArrayLike,
    *,
    level: float = 0.95,
) -> Interval:
    """Return the confidence interval of a mean: bootstrap percentiles, made to fit small samples.

    The percentiles are those of BCa, with acceleration and bias from the groups' skewness
    (efron1987better). Their distances from the mean are stretched from the bootstrap's width and
    normal quantiles to the clustered standard error and Student's, as hesterberg2015bootstrap
    advises; what trainings add is squared and added with a Student quantile of its own, since a
    few of them say little. Where all values are 0, or all are 1, as hits can be, percentiles have
    no width, and Wilson's interval of as many cases as there are groups takes their place.

    The interval covers new images and new trainings, for the folds there were.

    Args:
        values: ``(N,)`` scores, NaN where undefined.
        means: ``(draws,)``, their column of `Resampling.means` for the same units.
        groups: ``(N,)``.
        folds: ``(N,)``.
        seeds: ``(N,)``.
        level: confidence.

    Returns:
        Ends in the scores' unit, not clipped to any bounds; NaN with fewer than two groups.
    """
    table, drawn = np.asarray(values, float)[:, None], np.asarray(means, float)[:, None]
    low, high = intervals(table, drawn, groups, folds, seeds, level=level)
    return Interval(float(low[0]), float(high[0]))


def intervals(
    values: ArrayLike,
    means: ArrayLike,
    groups: ArrayLike,
    folds: ArrayLike,
    seeds: ArrayLike,
    *,
    level: float = 0.95,
) -> tuple[Floats, Floats]:
    """Return `interval`'s ends for each column, ``(M,)`` each: many cost little more than one.

    Args:
        values: ``(N, M)`` scores, NaN where undefined.
        means: ``(draws, M)``, of `Resampling.means` for the same units.
        groups: ``(N,)``.
        folds: ``(N,)``.
        seeds: ``(N,)``.
        level: confidence.
    """
    table, drawn = np.asarray(values, float), np.asarray(means, float)
    labels = [np.asarray(each) for each in (groups, folds, seeds)]
    defined, ends = ~np.isnan(table), np.full((2, table.shape[1]), np.nan)
    kinds, kind = np.unique(np.packbits(defined, axis=0), axis=1, return_inverse=True)
    for each in range(kinds.shape[1]):
        alike = np.flatnonzero(kind.ravel() == each)
        inside = defined[:, alike[0]]
        units = clusters(*(label[inside] for label in labels))
        if units.group.max(initial=0) > 0:
            ends[:, alike] = _ends(table[np.ix_(inside, alike)], drawn[:, alike], units, level)
    return ends[0], ends[1]


def _ends(scores: Floats, drawn: Floats, units: Clusters, level: float) -> Floats:
    """Return the intervals of columns without NaN, ``(2, P)``."""
    count, tail = units.group.max() + 1, (1 + level) / 2
    ends = np.empty((2, scores.shape[1]))
    flat = (scores == scores[0]).all(axis=0)
    for at in np.flatnonzero(flat):
        only = float(scores[0, at])
        ends[:, at] = wilson(only * count, count, level=level) if only in (0, 1) else (only, only)
    if not flat.all():
        varied = scores[:, ~flat]
        found = spread(varied, units)
        reach = _standardized(drawn[:, ~flat], units, varied, norm.ppf(tail))
        own = t.ppf(tail, found.degrees) ** 2 * found.variance
        if found.training_degrees:
            added = t.ppf(tail, found.training_degrees) ** 2 * found.training_variance
        else:
            added = np.zeros(len(own))
        low, high = np.sqrt(reach * own + added)
        ends[:, ~flat] = found.mean - low, found.mean + high
    return ends


def _standardized(drawn: Floats, units: Clusters, scores: Floats, z: float) -> Floats:
    """Return how far BCa's percentiles lie from the middle, as multiples of the normal ones.

    ``(2, P)``, squared: below and above.
    """
    residuals = scores - scores.mean(axis=0)
    sums = np.ascontiguousarray(sum_by(units.group, residuals).T)
    sizes = np.abs(scores).max(axis=0)
    draws = np.ascontiguousarray(drawn.T)
    middle, width = np.nanmean(draws, axis=1), np.nanstd(draws, axis=1)
    found = np.ones((2, len(draws)))
    # Where seeds differ and images don't, the groups' residuals add up to nothing.
    still = negligible(width, sizes) | negligible(sums, len(scores) * sizes[:, None]).all(axis=1)
    told = np.flatnonzero(~still)
    lengths = [6 * length**1.5 for length in squared_lengths(sums[told])]
    skew = (sums[told] ** 3).sum(axis=1) / lengths
    sides = [norm.cdf(skew + (skew + side) / (1 - skew * (skew + side))) for side in (-z, z)]
    for at, *levels in zip(told, *sides, strict=True):
        low, high = np.nanquantile(draws[at], levels)
        reach = middle[at] - low, high - middle[at]
        found[:, at] = [(end / (z * width[at])) ** 2 for end in reach]
    return found
