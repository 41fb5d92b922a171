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
    cutoffs = np.unique(confidences)
    found = confidences[None, :] >= cutoffs[:, None]
    hits = (found & (labels == 1)).sum(axis=1)
    alarms = (found & (labels == 0)).sum(axis=1)
    if rule == "youden":
        worth = hits / positives - alarms / negatives
    else:
        worth = 2 * hits / (hits + alarms + positives)
    return float(cutoffs[int(worth.argmax())])
