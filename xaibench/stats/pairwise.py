"""Paired tests of many pairs of columns at once: `paired_test`'s p-values, much faster."""

from collections import defaultdict
from collections.abc import Iterable
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike

from xaibench.stats.clusters import Floats, clusters
from xaibench.stats.mean_tests import MeanTest, evidence, mean_tests

_DIFFERENCES_IN_MEMORY = 2**22


def paired_tests(
    values: ArrayLike,
    groups: ArrayLike,
    folds: ArrayLike,
    seeds: ArrayLike,
    pairs: Iterable[tuple[int, int]] | None = None,
) -> Floats:
    """Return `paired_test`'s p-value for pairs of columns, ``(M, M)``, NaN elsewhere.

    Pairs that are defined for the same units share clusters and signs, so that hundreds of pairs
    cost little more than one.

    Args:
        values: ``(N, M)`` scores, NaN where undefined.
        groups: ``(N,)``.
        folds: ``(N,)``.
        seeds: ``(N,)``.
        pairs: of columns; None tests all.
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
        if units.group.max(initial=0) > 0:
            scores = table[both]
            parts = min(len(scores) * len(some) // _DIFFERENCES_IN_MEMORY + 1, len(some))
            for ends in np.array_split(np.array(some).T, parts, axis=1):
                places.append(ends)
                known.append(evidence(scores[:, ends[0]] - scores[:, ends[1]], units))
    found = np.full((table.shape[1],) * 2, np.nan)
    for (one, other), p in zip(places, mean_tests(known), strict=True):
        found[one, other] = found[other, one] = p
    return found
