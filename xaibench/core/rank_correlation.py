"""Spearman's rank correlation between maps: do two of them put the pixels into the same order?"""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Floats = NDArray[np.float64]


def rank_correlation(ours: NDArray[np.floating], theirs: NDArray[np.floating]) -> Floats:
    """Return Spearman's correlation over the pixels of each pair of maps, ``(B,)`` in [-1, 1].

    Ties share their mean rank. It is 1 for maps that are the same, constant ones included, and NaN
    where just one of the two is constant, which orders no pixels.

    Args:
        ours: ``(B, H, W)``.
        theirs: ``(B, H, W)``.

    >>> rank_correlation(np.array([[[1.0, 2.0, 4.0]]]), np.array([[[9.0, 8.0, 1.0]]]))
    array([-1.])
    """
    first, second = (_centered_ranks(maps) for maps in (ours, theirs))
    size = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    with np.errstate(invalid="ignore"):
        correlation = (first * second).sum(axis=1) / size
    same = (ours == theirs).all(axis=(1, 2))
    found: Floats = np.where(same, 1.0, correlation)
    return found


def _centered_ranks(maps: NDArray[np.floating]) -> Floats:
    ranks: Floats = rankdata(maps.reshape(len(maps), -1), axis=1)
    ranks -= ranks.mean(axis=1, keepdims=True)
    return ranks
