"""What a comparison of this design could find: by simulation of paired differences."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import t

from xaibench.stats.clusters import (
    Clusters,
    Codes,
    Floats,
    clusters,
    interaction,
    merge_folds,
    number,
    spread,
)
from xaibench.stats.training_sets import TrainingSets, set_reach, set_spread, training_sets

_DRAWS = 250


class Components(NamedTuple):
    """Standard deviations of a paired difference: what images, trainings and sets add to it.

    ``image`` is of a group of images, ``answer`` of one image under one training beyond that,
    ``training`` of a training among those on the same training set, ``training_set`` of a fold.
    """

    image: float
    answer: float
    training: float
    training_set: float


class Detectable(NamedTuple):
    """Mean differences that are found with the power: with new images, and new training sets."""

    images: float
    training_sets: float


class UnitDesign(NamedTuple):
    """Units, ``(N,)`` each, as `paired_test` takes them; ``sets`` for new sets."""

    units: Clusters
    sets: TrainingSets | None


def design_of(
    samples: ArrayLike, groups: ArrayLike, folds: ArrayLike, seeds: ArrayLike
) -> UnitDesign:
    """Return a design from the labels of its units, ``(N,)`` each."""
    fold, seed = merge_folds(samples, folds, seeds)
    return UnitDesign(clusters(groups, fold, seed), training_sets(samples, folds, seeds))


def components(differences: Floats, design: UnitDesign) -> Components:
    """Estimate variance components by the method of moments; negative ones are 0.

    Args:
        differences: ``(N,)`` without NaN, of two groups at least.
        design: of these units.
    """
    units, sets = design
    column = differences[:, None]
    found, count = spread(column, units), len(differences)
    answer = 0.0
    if units.retrained:
        answer = float(interaction((column - column.mean()) / count, units)[0]) * count
    image = max(float(found.variance[0]) - answer / count, 0) / _share(units.group)
    training = float(found.training_variance[0]) / _share(units.training)
    of_set = 0.0
    if sets and (over := set_spread(column, sets)):
        folds = int(number(sets.fold).max()) + 1
        plain = float(over.variance[0]) / (1 + folds * sets.test_ratio)
        rest = plain - float(found.variance[0] + found.training_variance[0])
        of_set = max(rest, 0) / _share(sets.fold)
    return Components(*(float(np.sqrt(each)) for each in (image, answer, training, of_set)))


def detectable(
    found: Components, design: UnitDesign, *, power: float = 0.8, level: float = 0.05, seed: int = 0
) -> Detectable:
    """Return the minimum detectable differences of a design, by simulation of just that design.

    Normal effects of images, trainings and training sets are drawn and every draw is analyzed as
    the tests do; the difference is the smallest that so many draws would have found.

    Args:
        found: the variance components.
        design: as many groups, folds and seeds as there are or would be.
        power: chance of finding it.
        level: of the two-sided test.
        seed: of the draws.

    Returns:
        In the scores' unit; NaN with fewer than two groups, ``training_sets`` also where the design
        says nothing of new training sets.
    """
    units, sets = design
    if units.group.max(initial=0) < 1:
        return Detectable(np.nan, np.nan)
    random = np.random.default_rng(seed)

    def effect(size: float, codes: Codes) -> Floats:
        drawn: Floats = size * random.normal(size=(int(codes.max()) + 1, _DRAWS))[codes]
        return drawn

    drawn = effect(found.image, units.group) + found.answer * random.normal(
        size=(len(units.group), _DRAWS)
    )
    if units.retrained:
        drawn += effect(found.training, units.training)
    of_images = _reach(drawn, units, level)
    images = _found_by(of_images, drawn, power)
    if sets is None:
        return Detectable(images, np.nan)
    drawn += effect(found.training_set, sets.fold)
    over = set_spread(drawn, sets)
    if over is None:
        return Detectable(images, np.nan)
    reach = np.maximum(_reach(drawn, units, level), set_reach(over, 1 - level))
    return Detectable(images, _found_by(reach, drawn, power))


def detectable_difference(
    differences: ArrayLike,
    groups: ArrayLike,
    folds: ArrayLike = 0,
    seeds: ArrayLike = 0,
    *,
    power: float = 0.8,
    level: float = 0.05,
) -> float:
    """Return the mean difference that a comparison of this size would find with this power.

    It is the one between networks that are tested on new images, and with several seeds in a fold
    trained again on the same training sets, as in `paired_test`.

    Args:
        differences: ``(N,)`` of the pairs' scores; NaN doesn't count.
        groups: ``(N,)``; images of one group count as one.
        folds: ``(N,)``, or one for all.
        seeds: ``(N,)``, or one for all.
        power: chance of finding it.
        level: of the two-sided test.

    Returns:
        A difference in the scores' unit, >= 0; NaN with fewer than two groups.
    """
    values = np.asarray(differences, float)
    defined = ~np.isnan(values)
    labels = (np.broadcast_to(each, values.shape)[defined] for each in (groups, folds, seeds))
    design = UnitDesign(clusters(*labels), None)
    if design.units.group.max(initial=0) < 1:
        return float("nan")
    found = components(values[defined], design)
    return detectable(found, design, power=power, level=level).images


def _reach(drawn: Floats, units: Clusters, level: float) -> Floats:
    """Return how large each draw's mean must be to be told from 0."""
    found = spread(drawn, units)
    square = t.ppf(1 - level / 2, found.degrees) ** 2 * found.variance
    if found.training_degrees:
        square += t.ppf(1 - level / 2, found.training_degrees) ** 2 * found.training_variance
    reach: Floats = np.sqrt(square)
    return reach


def _found_by(reach: Floats, drawn: Floats, power: float) -> float:
    """Return the difference that this share of draws, and of their mirror images, would find."""
    mean = drawn.mean(axis=0)
    return float(np.quantile(np.concatenate([reach - mean, reach + mean]), power))


def _share(codes: Codes) -> float:
    """Return the sum of squared shares of the units: one over their number where they are equal."""
    share = np.bincount(codes) / len(codes)
    return float(share @ share)
