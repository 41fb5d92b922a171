"""The cut-off of a confidence above which a class counts as found."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

CutoffRule = Literal["youden", "f1"]
NO_CHOICE = 0.5
"""Where there is nothing to choose by: no image shows the class, or all do."""


def best_cutoff(
    labels: NDArray[np.int_], confidences: NDArray[np.float64], rule: CutoffRule
) -> float:
    """Return the best cut-off among the confidences; a class is found from the cut-off upwards.

    The lowest of those that tie.

    Args:
        labels: 0 or 1, ``(n,)``.
        confidences: in [0, 1], ``(n,)``.
        rule: ``youden`` has the largest sensitivity + specificity - 1 (youden1950index), ``f1`` the
            largest F1.

    >>> best_cutoff(np.array([0, 1, 0, 1]), np.array([0.1, 0.4, 0.5, 0.8]), "f1")
    0.4
    """
    positives, negatives = int((labels == 1).sum()), int((labels == 0).sum())
    if not positives or not negatives:
        return NO_CHOICE
    cutoffs, place = np.unique(confidences, return_inverse=True)
    # From each cut-off upwards: what it finds itself, and what higher ones find.
    hits, alarms = (
        np.bincount(place[labels == label], minlength=len(cutoffs))[::-1].cumsum()[::-1]
        for label in (1, 0)
    )
    if rule == "youden":
        worth = hits / positives - alarms / negatives
    else:
        worth = 2 * hits / (hits + alarms + positives)
    return float(cutoffs[int(worth.argmax())])
