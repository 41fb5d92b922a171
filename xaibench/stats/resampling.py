"""Bootstrap of means over groups, crossed with trainings, within folds."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from xaibench.stats.clusters import (
    Clusters,
    Codes,
    Floats,
    belonging,
    clusters,
    number,
    number_pairs,
    sum_by,
)

_WEIGHTS_IN_MEMORY = 2**22
_BUNDLES = 1024


class Resampling:
    """Draws of groups with replacement, and of trainings where there are several seeds.

    A unit is one sample under one seed in one fold. Groups and trainings are drawn within their
    folds and crossed: a unit's weight is the product of both counts (owen2007pigeonhole). One
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
        cell = number_pairs(self._units.group, self._units.training)
        group, training = (belonging(cell, codes) for codes in self._units[:2])
        defined = ~np.isnan(table)
        # Packed, as columns of bits are slow to sort.
        _, first, kind = np.unique(
            np.packbits(defined, axis=0), axis=1, return_index=True, return_inverse=True
        )
        sums = sum_by(cell, np.where(defined, table, 0))
        counts = sum_by(cell, defined[:, first].astype(float))
        blocks = []
        for groups_drawn, trainings_drawn in self._counts(len(group)):
            weights = groups_drawn[:, group] * trainings_drawn[:, training]
            below = (weights @ counts)[:, kind.ravel()]
            with np.errstate(invalid="ignore", divide="ignore"):
                blocks.append(np.where(below > 0, (weights @ sums) / below, np.nan))
        return np.concatenate(blocks)

    def _counts(self, cells: int) -> Iterator[tuple[Floats, Floats]]:
        """Yield weights of groups ``(block, G)`` and of trainings ``(block, T)``, of mean 1."""
        units = self._units
        strata = [belonging(codes, units.stratum) for codes in (units.group, units.training)]
        step = max(_WEIGHTS_IN_MEMORY // max(cells, 1), 1)
        for start in range(0, self._draws, step):
            generator = np.random.default_rng((self._seed, start))
            rows = min(step, self._draws - start)
            groups, trainings = (_draw_within(generator, rows, each) for each in strata)
            yield groups, trainings


def _bundle(units: Clusters) -> Clusters:
    """Put groups of a stratum together at random where there are very many in all."""
    strata = belonging(units.group, units.stratum)
    if len(strata) <= _BUNDLES:
        return units
    names, generator = np.unique(strata), np.random.default_rng(len(strata))
    most = max(_BUNDLES // len(names), 2)
    bundle = strata * most
    for name in names:
        inside = np.flatnonzero(strata == name)
        # By chance: in the names' order images of one class would be together.
        bundle[inside] += generator.permutation(len(inside)) % most
    return units._replace(group=number(bundle)[units.group])


def _draw_within(generator: np.random.Generator, rows: int, strata: Codes) -> Floats:
    weights = np.ones((rows, len(strata)))
    for stratum in np.unique(strata):
        inside = np.flatnonzero(strata == stratum)
        weights[:, inside] = _draw(generator, rows, len(inside))
    return weights


def _draw(generator: np.random.Generator, rows: int, count: int) -> Floats:
    if count == 1:
        return np.ones((rows, 1))
    drawn = generator.multinomial(count - 1, np.full(count, 1 / count), size=rows)
    return drawn.astype(np.float64) * count / (count - 1)
