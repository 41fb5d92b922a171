"""What more annotation brings: a power law with a ceiling, and where it reaches a level.

The score after n annotated images is modeled as c - a n^-b with a >= 0: it rises ever more slowly
toward c (hestness2017deep). For a metric of errors, whose sign is turned, c is the error's floor.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_POWERS = np.geomspace(0.1, 3, 60)
FEWEST = 3
"""Budgets that a curve takes: it has three unknowns."""


class Curves(NamedTuple):
    """Fitted curves, one for each draw: ``ceiling``, ``scale`` and ``power``, ``(D,)`` each."""

    ceiling: Floats
    scale: Floats
    power: Floats

    def at(self, budget: float) -> Floats:
        """Return the scores at a budget above 0, ``(D,)``."""
        return np.asarray(self.ceiling - self.scale * budget**-self.power)


def fit_curves(budgets: Floats, scores: Floats) -> Curves:
    """Fit a curve to each draw by least squares: powers from 0.1 to 3 are tried in turn.

    Where scores fall with the budget the curve is flat.

    Args:
        budgets: numbers of annotated images, ``(F,)``, above 0 and all different, at least three.
        scores: at these budgets, ``(D, F)``, higher is better.

    Raises:
        ValueError: there are fewer than three budgets.
    """
    if len(budgets) < FEWEST:
        raise ValueError(f"a curve takes {FEWEST} budgets at least")
    falls = budgets[None] ** -_POWERS[:, None]  # (P, F)
    centered = falls - falls.mean(axis=1, keepdims=True)
    middle = scores.mean(axis=1)
    slopes = -(scores - middle[:, None]) @ centered.T / (centered**2).sum(axis=1)  # (D, P)
    scale = slopes.clip(min=0)
    ceiling = middle[:, None] + scale * falls.mean(axis=1)
    fitted = ceiling[:, :, None] - scale[:, :, None] * falls[None]
    best = ((scores[:, None] - fitted) ** 2).sum(axis=2).argmin(axis=1)
    rows = np.arange(len(scores))
    return Curves(ceiling[rows, best], scale[rows, best], _POWERS[best])


def crossings(curves: Curves, levels: Floats) -> Floats:
    """Return the budgets from which on curves lie above levels, ``(D,)``; inf where they never do.

    >>> curves = Curves(np.array([0.8]), np.array([0.6]), np.array([1.0]))
    >>> crossings(curves, np.array([0.5]))
    array([2.])
    """
    gap = curves.ceiling - levels
    with np.errstate(divide="ignore", invalid="ignore"):
        found = (curves.scale / gap) ** (1 / curves.power)
    return np.where(gap > 0, found, np.inf)
