"""Variance components of scores, by the method of moments: images, methods, folds and seeds.

The model is y = mean + image + method + fold + seed (within its fold) + image and method + rest,
all effects random and independent. Half of the mean squared difference of two scores that share
some of these is the sum of the variances of what they don't share; such means, over all pairs of a
kind, give each variance by subtraction (Henderson's method I for unbalanced data; for balanced data
the estimates of the analysis of variance). They are unbiased; an estimate below 0 is reported as 0.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from xaibench.stats.clusters import Codes, Floats, number, number_pairs

IMAGE, METHOD, FOLD, SEED = "image", "method", "fold", "seed"
BOTH, REST = "image and method", "rest"
COMPONENTS = (IMAGE, METHOD, FOLD, SEED, BOTH, REST)


def variance_components(
    values: Floats, images: ArrayLike, folds: ArrayLike, seeds: ArrayLike
) -> dict[str, float]:
    """Return the variance of each of `COMPONENTS`; NaN where nothing tells.

    With a single seed the trainings' variance is under ``fold``, and with a single training
    ``image and method`` holds the rest.

    Args:
        values: ``(N, M)``, a column for each method; NaN where undefined.
        images: of the rows, ``(N,)``.
        folds: likewise.
        seeds: likewise.
    """
    row, column = np.nonzero(~np.isnan(values))
    pairs = _Pairs(values[row, column])
    fold, seed, image = (number(labels)[row] for labels in (folds, seeds, images))
    training, method = number_pairs(fold, seed), column.astype(np.intp)
    others = pairs.half_squares([training], [image, method])
    images_apart = pairs.half_squares([training, method], [image])
    methods_apart = pairs.half_squares([training, image], [method])
    seeds_apart = pairs.half_squares([fold, method], [image, seed])
    folds_apart = pairs.half_squares([method], [image, fold])
    by_seed = seeds_apart - images_apart
    single = np.isnan(by_seed)
    left = images_apart + methods_apart - others
    rest = pairs.half_squares([image, method, fold], [seed]) - max(by_seed, 0)
    found = {
        IMAGE: others - methods_apart,
        METHOD: others - images_apart,
        FOLD: folds_apart - (images_apart if single else seeds_apart),
        SEED: by_seed,
        BOTH: left if np.isnan(rest) else left - rest,
        REST: rest,
    }
    return {name: float(np.maximum(value, 0)) for name, value in found.items()}


class _Pairs:
    """Sums over all pairs of scores that share some labels, without making the pairs."""

    def __init__(self, values: Floats) -> None:
        # Sums of squares of values far from 0 would lose their differences.
        self._values = values - values.mean() if len(values) else values

    def half_squares(self, same: Sequence[Codes], apart: Sequence[Codes]) -> float:
        """Return half of the mean squared difference of pairs that differ in every other label."""
        total = count = 0.0
        for chosen in range(2 ** len(apart)):
            shared = [codes for at, codes in enumerate(apart) if chosen >> at & 1]
            squares, pairs = self._sum([*same, *shared])
            sign = -1 if len(shared) % 2 else 1
            total, count = total + sign * squares, count + sign * pairs
        return total / count / 2 if count >= 1 else np.nan

    def _sum(self, labels: Sequence[Codes]) -> tuple[float, float]:
        code = labels[0]
        for other in labels[1:]:
            code = number_pairs(code, other)
        size = np.bincount(code).astype(float)
        total = np.bincount(code, self._values)
        squares = np.bincount(code, self._values**2)
        return float((size * squares - total**2).sum()), float((size * (size - 1)).sum() / 2)
