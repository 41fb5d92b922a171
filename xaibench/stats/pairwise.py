"""Paired tests of many pairs of columns at once: `paired_test`'s p-values, much faster."""

from collections import defaultdict
from collections.abc import Iterable
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from xaibench.stats.clusters import Floats, clusters
from xaibench.stats.mean_tests import MeanTest, evidence, mean_tests, training_set_tests
from xaibench.stats.training_sets import TrainingSets

_DIFFERENCES_IN_MEMORY = 2**22


class PairTests(NamedTuple):
    """P-values of pairs of columns, ``(M, M)`` each, NaN where nothing was tested.

    ``images`` covers new test images (and with several seeds of new trainings on the same
    images), ``training_sets`` of new training sets, too; NaN where nothing tells of these.
    """

    images: Floats
    training_sets: Floats


def paired_tests(
    values: ArrayLike,
    groups: ArrayLike,
    folds: ArrayLike,
    seeds: ArrayLike,
    pairs: Iterable[tuple[int, int]] | None = None,
    sets: TrainingSets | None = None,
) -> PairTests:
    """Return `paired_test`'s p-value for pairs of columns.

    Pairs that are defined for the same units share clusters and signs, so that hundreds of pairs
    cost little more than one.

    Args:
        values: ``(N, M)`` scores, NaN where undefined.
        groups: ``(N,)``.
        folds: ``(N,)``.
        seeds: ``(N,)``.
        pairs: of columns; None tests all.
        sets: of the units; None where nothing tells of new training sets.
    """
    table = np.asarray(values, float)
    labels = [np.asarray(each) for each in (groups, folds, seeds)]
    defined = ~np.isnan(table)
    alike: dict[bytes, list[tuple[int, int]]] = defaultdict(list)
    for one, other in combinations(range(table.shape[1]), 2) if pairs is None else pairs:
        alike[np.packbits(defined[:, one] & defined[:, other]).tobytes()].append((one, other))
    places: list[Floats] = []
    known: list[MeanTest] = []
    for some in alike.values():
        both = defined[:, some[0]].all(axis=1)
        units = clusters(*(each[both] for each in labels))
        inside = sets._replace(fold=sets.fold[both]) if sets else None
        if units.group.max(initial=0) > 0:
            scores = table[both]
            parts = min(len(scores) * len(some) // _DIFFERENCES_IN_MEMORY + 1, len(some))
            for ends in np.array_split(np.array(some).T, parts, axis=1):
                places.append(ends)
                known.append(evidence(scores[:, ends[0]] - scores[:, ends[1]], units, inside))
    found = PairTests(*np.full((2, table.shape[1], table.shape[1]), np.nan))
    of_images = mean_tests(known)
    over_sets = training_set_tests(known, of_images)
    for (one, other), *both_p in zip(places, of_images, over_sets, strict=True):
        for matrix, p in zip(found, both_p, strict=True):
            matrix[one, other] = matrix[other, one] = p
    return found
