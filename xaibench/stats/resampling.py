"""Bootstrap of means over groups within folds, crossed with training seeds."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import norm, t

from xaibench.stats.clusters import Clusters, Floats, clusters, spread, strata_of_groups, sum_by
from xaibench.stats.rates import Interval, wilson

__all__ = ["Interval", "Resampling", "interval"]

_WEIGHTS_IN_MEMORY = 2**22
_ROUNDING = 1e-12


class Resampling:
    """Draws of groups with replacement, and of seeds where there are several.

    A unit is one sample under one seed in one fold. Groups are drawn within their folds and seeds
    are crossed with them: a unit's weight is the product of both counts (owen2007pigeonhole). One
    less than there are is drawn of each, which makes the variance of the means unbiased
    (rao1988resampling). The draws depend on the names and the seed only, so that tables made from
    the same units are comparable.
    """

    def __init__(
        self,
        groups: ArrayLike,
        folds: ArrayLike,
        seeds: ArrayLike,
        *,
        draws: int = 2000,
        seed: int = 0,
    ) -> None:
        self._units = clusters(groups, folds, seeds)
        self._draws, self._seed = draws, seed

    def means(self, values: ArrayLike) -> Floats:
        """Return the mean of each column in each draw, ``(draws, M)``.

        NaN where a draw holds no defined value of a column. All columns share the draws, so that
        differences between columns are paired.

        Args:
            values: ``(N, M)``, NaN where undefined.
        """
        table = np.asarray(values, float)
        seeds = self._units.seed.max(initial=0) + 1
        cell = self._units.group * seeds + self._units.seed
        defined = ~np.isnan(table)
        kinds, kind = np.unique(defined, axis=1, return_inverse=True)
        cells, cell = np.unique(cell, return_inverse=True)
        sums = sum_by(cell, np.where(defined, table, 0))
        counts = sum_by(cell, kinds.astype(float))
        blocks = []
        for groups_drawn, seeds_drawn in self._counts(len(cells)):
            weights = groups_drawn[:, cells // seeds] * seeds_drawn[:, cells % seeds]
            below = (weights @ counts)[:, kind.ravel()]
            with np.errstate(invalid="ignore", divide="ignore"):
                blocks.append(np.where(below > 0, (weights @ sums) / below, np.nan))
        return np.concatenate(blocks)

    def _counts(self, cells: int) -> Iterator[tuple[Floats, Floats]]:
        """Yield weights of groups ``(block, G)`` and of seeds ``(block, S)``, of mean 1."""
        strata = strata_of_groups(self._units)
        members = [np.flatnonzero(strata == stratum) for stratum in np.unique(strata)]
        seeds = np.arange(self._units.seed.max(initial=0) + 1)
        step = max(_WEIGHTS_IN_MEMORY // max(cells, 1), 1)
        for start in range(0, self._draws, step):
            generator = np.random.default_rng((self._seed, start))
            rows = min(step, self._draws - start)
            weights = np.ones((rows, len(strata)))
            for inside in members:
                weights[:, inside] = _draw(generator, rows, len(inside))
            yield weights, _draw(generator, rows, len(seeds))


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
    advises; what the seeds add is squared and added with a Student quantile of its own, since a
    few seeds say little. Where all values are 0, or all are 1, as hits can be, percentiles have no
    width, and Wilson's interval of as many cases as there are groups takes their place.

    The interval speaks of new images and new training seeds, for the folds there were.

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
    scores, drawn = np.asarray(values, float), np.asarray(means, float)
    defined = ~np.isnan(scores)
    scores = scores[defined]
    units = clusters(*(np.asarray(labels)[defined] for labels in (groups, folds, seeds)))
    count = units.group.max(initial=-1) + 1
    if count < 2:  # noqa: PLR2004
        return Interval(float("nan"), float("nan"))
    if (scores == scores[0]).all():
        only = float(scores[0])
        return wilson(only * count, count, level=level) if only in (0, 1) else Interval(only, only)
    found, tail = spread(scores, units), (1 + level) / 2
    low, high = _standardised(drawn, units, scores - found.mean, norm.ppf(tail))
    own = t.ppf(tail, found.degrees) ** 2 * found.variance
    added = t.ppf(tail, found.seed_degrees) ** 2 * found.seed_variance if found.seed_degrees else 0
    return Interval(
        found.mean - float(np.sqrt(low**2 * own + added)),
        found.mean + float(np.sqrt(high**2 * own + added)),
    )


def _standardised(
    drawn: Floats, units: Clusters, residuals: Floats, z: float
) -> tuple[float, float]:
    """Return how far BCa's percentiles lie from the middle, as multiples of the normal ones."""
    sums = sum_by(units.group, residuals)
    middle, width = np.nanmean(drawn), np.nanstd(drawn)
    # Where seeds differ and images don't, the groups' residuals add up to nothing.
    if width <= _ROUNDING * np.abs(middle) or not sums.any():
        return 1.0, 1.0
    skew = float((sums**3).sum() / (6 * (sums @ sums) ** 1.5))
    levels = [norm.cdf(skew + (skew + side) / (1 - skew * (skew + side))) for side in (-z, z)]
    low, high = np.nanquantile(drawn, levels)
    return float((middle - low) / (z * width)), float((high - middle) / (z * width))


def _draw(generator: np.random.Generator, rows: int, count: int) -> Floats:
    if count == 1:
        return np.ones((rows, 1))
    drawn = generator.multinomial(count - 1, np.full(count, 1 / count), size=rows)
    return drawn.astype(np.float64) * count / (count - 1)
