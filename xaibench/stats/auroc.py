"""The interval of an area under the ROC curve, fit for a handful of positive cases."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import norm, rankdata

from xaibench.stats.rates import Interval

_PRIOR = 4  # cases


def auroc_interval(positive: ArrayLike, scores: ArrayLike, *, level: float = 0.95) -> Interval:
    """Return a score interval of the area under the ROC curve, of independent cases.

    DeLong's variance (delong1988auc) says nothing where three positives happen to be above all
    others, and too little where they nearly do. So to the cases of either side four are added
    whose chance of winning varies as much as it can, by true area * (1 - true area)
    (birnbaum1957variance), and, as in Wilson's interval of a rate, the ends are the true areas from
    which the one that was seen lies so many of their standard errors away. It stays inside [0, 1],
    has a width at an area of 1, and is conservative for few cases.

    Args:
        positive: ``(N,)`` booleans.
        scores: ``(N,)``, higher is more positive; ties count half.
        level: confidence.

    Returns:
        NaN where all cases are positive, or none.

    >>> ends = auroc_interval([True] * 3 + [False] * 57, [3, 2, 1] + [0] * 57)
    >>> [round(end, 3) for end in ends]
    [0.538, 1.0]
    """
    ones, values = np.asarray(positive, bool), np.asarray(scores, float)
    counts = np.array([ones.sum(), (~ones).sum()])
    if not counts.all():
        return Interval(float("nan"), float("nan"))
    ranks = rankdata(values)
    # What an image is ranked above, less what is so on its own side: its chance of winning.
    wins = [
        (ranks[side] - rankdata(values[side])) / other
        for side, other in zip((ones, ~ones), counts[::-1], strict=True)
    ]
    area = wins[0].mean()
    z = norm.ppf((1 + level) / 2)
    seen = sum(
        ((each - each.mean()) ** 2).sum() / (count - 1 + _PRIOR) / count
        for each, count in zip(wins, counts, strict=True)
    )
    added = float((_PRIOR / (counts - 1 + _PRIOR) / counts).sum())
    # (area - true)^2 = z^2 (seen + added * true * (1 - true)), solved for the true area.
    square, middle = 1 + z**2 * added, 2 * area + z**2 * added
    reach = np.sqrt(max(middle**2 - 4 * square * (area**2 - z**2 * seen), 0))
    low, high = (middle - reach) / (2 * square), (middle + reach) / (2 * square)
    # Rounding must not leave an area of 0 or 1 outside its own interval.
    return Interval(float(np.clip(low, 0, area)), float(np.clip(high, area, 1)))
