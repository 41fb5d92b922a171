"""What hangs together by pairs."""

from collections.abc import Sequence

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


def join_pairs(count: int, pairs: Sequence[tuple[int, int]]) -> list[int]:
    """Return for each of ``count`` things the first one that it hangs together with by pairs.

    >>> join_pairs(5, [(4, 3), (0, 2), (2, 3)])
    [0, 1, 0, 0, 0]
    """
    firsts, seconds = np.array(pairs, np.intp).reshape(-1, 2).T
    joined = coo_array((np.ones(len(pairs), np.bool_), (firsts, seconds)), shape=(count, count))
    _, groups = connected_components(joined, directed=False)
    _, first, inverse = np.unique(groups, return_index=True, return_inverse=True)
    return [int(index) for index in first[inverse]]
