"""Equivalence beside difference: is one no worse than the other by more than a margin?"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from xaibench.stats.clusters import Floats
from xaibench.stats.pairwise import paired_tests
from xaibench.stats.training_sets import TrainingSets


class Equivalence(NamedTuple):
    """One-sided p-values of P columns, ``(P,)`` each: not worse, and not better, by the margin."""

    not_worse: Floats
    not_better: Floats

    @property
    def both(self) -> Floats:
        """The larger of the two, which is that of equivalence (schuirmann1987tost)."""
        return np.maximum(*self)


class EquivalenceTests(NamedTuple):
    """What they generalize to, as in `PairTests`: new test images; new training sets, too."""

    images: Equivalence
    training_sets: Equivalence


def equivalence_tests(
    gaps: ArrayLike,
    groups: ArrayLike,
    folds: ArrayLike,
    seeds: ArrayLike,
    *,
    margin: float,
    sets: TrainingSets | None = None,
) -> EquivalenceTests:
    """Test by two one-sided tests whether mean differences lie within a margin of 0.

    Each is `paired_test` of differences that the margin has been added to or taken from, so that
    groups, folds and trainings count as in tests of a difference.

    Args:
        gaps: ``(N, P)`` paired differences, NaN where undefined; higher is better.
        groups: ``(N,)``.
        folds: ``(N,)``.
        seeds: ``(N,)``.
        margin: largest difference that doesn't matter, > 0.
        sets: of the units; None where nothing tells of new training sets.

    Returns:
        NaN with fewer than two groups, and over training sets where nothing is known of them.
    """
    table = np.asarray(gaps, float)
    count = table.shape[1]
    shifted = np.concatenate([table + margin, margin - table], axis=1)
    # Tested against a column of zeros.
    columns = np.concatenate([shifted, np.zeros((len(table), 1))], axis=1)
    pairs = [(at, 2 * count) for at in range(2 * count)]
    found = paired_tests(columns, groups, folds, seeds, pairs, sets)
    defined = (~np.isnan(shifted)).sum(axis=0)
    inside = np.nansum(shifted, axis=0) > 0
    both = []
    for matrix in found:
        p = np.where(defined > 0, matrix[:-1, -1], np.nan)
        one_sided = np.where(inside, p / 2, 1 - p / 2)
        both.append(Equivalence(one_sided[:count], one_sided[count:]))
    return EquivalenceTests(*both)
