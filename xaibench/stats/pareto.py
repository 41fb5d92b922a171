"""Rows that nothing beats in two things at once."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def undominated(cost: Floats, gain: Floats) -> NDArray[np.bool_]:
    """Tell which rows no other beats: as cheap and as good, and in one of both better.

    Args:
        cost: of each row, ``(M,)``.
        gain: ``(..., M)``; rows without a gain (NaN) neither beat nor stay.
    """
    cheaper = cost[None, :] < cost[:, None]
    no_dearer = cost[None, :] <= cost[:, None]
    better = gain[..., None, :] > gain[..., :, None]
    no_worse = gain[..., None, :] >= gain[..., :, None]
    beaten = ((no_dearer & better) | (cheaper & no_worse)).any(axis=-1)
    return np.asarray(~beaten & ~np.isnan(gain))


def pareto_front(cost: Floats, gain: Floats) -> list[int]:
    """Return the places of those rows, the cheapest first.

    >>> pareto_front(np.array([1.0, 2.0, 2.0, 3.0]), np.array([0.2, 0.5, 0.4, 0.5]))
    [0, 1]
    """
    free = np.flatnonzero(undominated(cost, gain))
    return [int(at) for at in free[np.lexsort((gain[free], cost[free]))]]
