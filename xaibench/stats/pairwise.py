"""Paired tests of all pairs of columns at once: `paired_test`'s p-values, much faster."""

from collections import defaultdict
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike

from xaibench.stats.clusters import Floats, clusters
from xaibench.stats.mean_tests import mean_tests


def paired_tests(
    values: ArrayLike, groups: ArrayLike, folds: ArrayLike, seeds: ArrayLike
) -> Floats:
    """Return `paired_test`'s p-value for each pair of columns, ``(M, M)``, NaN on the diagonal.

    Pairs that are defined for the same units share clusters and signs, so that hundreds of pairs
    cost little more than one.

    Args:
        values: ``(N, M)`` scores, NaN where undefined.
        groups: ``(N,)``.
        folds: ``(N,)``.
        seeds: ``(N,)``.
    """
    table = np.asarray(values, float)
    labels = [np.asarray(each).astype(str) for each in (groups, folds, seeds)]
    defined = ~np.isnan(table)
    alike: dict[bytes, list[tuple[int, int]]] = defaultdict(list)
    for pair in combinations(range(table.shape[1]), 2):
        alike[defined[:, pair].all(axis=1).tobytes()].append(pair)
    found = np.full((table.shape[1],) * 2, np.nan)
    for pairs in alike.values():
        one, other = np.array(pairs).T
        both = defined[:, one[0]] & defined[:, other[0]]
        units = clusters(*(each[both] for each in labels))
        if units.group.max(initial=0) > 0:
            p = mean_tests(table[both][:, one] - table[both][:, other], units)
            found[one, other] = found[other, one] = p
    return found
