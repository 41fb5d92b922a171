"""Bootstrap of means over groups within folds, crossed with training seeds."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from xaibench.stats.clusters import Clusters, Floats, clusters, number, strata_of_groups, sum_by

_WEIGHTS_IN_MEMORY = 2**22
_BUNDLES = 1024


class Resampling:
    """Draws of groups with replacement, and of seeds where there are several.

    A unit is one sample under one seed in one fold. Groups are drawn within their folds and seeds
    are crossed with them: a unit's weight is the product of both counts (owen2007pigeonhole). One
    less than there are is drawn of each, which makes the variance of the means unbiased
    (rao1988resampling). The draws depend on the names and the seed only, so that tables made from
    the same units are comparable. More than 1024 groups are drawn in as many bundles, put together
    by chance within their folds: their means scatter alike, and time doesn't grow with the groups.
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
        self._units = _bundle(clusters(groups, folds, seeds))
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


def _bundle(units: Clusters) -> Clusters:
    """Put groups of a stratum together at random where there are very many in all."""
    strata = strata_of_groups(units)
    if len(strata) <= _BUNDLES:
        return units
    names, generator = np.unique(strata), np.random.default_rng(len(strata))
    most = max(_BUNDLES // len(names), 2)
    bundle = strata * most
    for name in names:
        inside = np.flatnonzero(strata == name)
        # By chance: in the names' order images of one class would stand together.
        bundle[inside] += generator.permutation(len(inside)) % most
    return units._replace(group=number(bundle)[units.group])


def _draw(generator: np.random.Generator, rows: int, count: int) -> Floats:
    if count == 1:
        return np.ones((rows, 1))
    drawn = generator.multinomial(count - 1, np.full(count, 1 / count), size=rows)
    return drawn.astype(np.float64) * count / (count - 1)
