"""Values of a whole set of images as means over images, so that intervals treat all alike.

A value that isn't a mean, such as an area under a curve, is written as one: an image's part is the
value plus what the image moves it by. The parts' mean is the value exactly, and their spread its
error by the delta method (as in `core.pooling`).
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

Parts = NDArray[np.float64]


def ratio(part: ArrayLike, whole: ArrayLike) -> Parts:
    """Return ``(N,)`` whose mean is sum(part) / sum(whole); NaN where either is, or nothing is.

    Args:
        part: ``(N,)`` of each image, NaN for those that don't count.
        whole: ``(N,)``.

    >>> ratio([1, 0], [3, 1]).tolist()
    [0.375, 0.125]
    """
    top, below = np.asarray(part, float), np.asarray(whole, float)
    counted = ~np.isnan(top + below)
    total = below[counted].sum()
    if not total:
        return np.full(len(top), np.nan)
    value = top[counted].sum() / total
    return np.where(counted, value + (top - value * below) * counted.sum() / total, np.nan)


def auroc(positive: ArrayLike, scores: ArrayLike) -> Parts:
    """Return ``(N,)`` whose mean is the area under the ROC curve (delong1988auc).

    The area is the chance that a positive image scores above a negative one; ties count half. NaN
    where all images are positive, or none.

    Args:
        positive: ``(N,)`` booleans.
        scores: ``(N,)``, higher is more positive.

    >>> auroc([True, False, False], [0.4, 0.6, 0.1]).tolist()
    [0.5, -0.25, 1.25]
    """
    ones, values = np.asarray(positive, bool), np.asarray(scores, float)
    count, others = int(ones.sum()), int((~ones).sum())
    if not count or not others:
        return np.full(len(values), np.nan)
    ranks, wins = rankdata(values), np.empty(len(values))
    # What is ranked lower than an image, less what is so on its own side.
    wins[ones] = (ranks[ones] - rankdata(values[ones])) / others
    wins[~ones] = 1 - (ranks[~ones] - rankdata(values[~ones])) / count
    area = float(wins[ones].mean())
    sides = np.where(ones, count, others)
    return area + (wins - area) * len(values) / sides
