"""Whether a mean lies clearly above a limit, clearly below, or neither."""

from collections.abc import Sequence

import numpy as np

from xaibench.core.resemblance import Floats
from xaibench.stats.resampling import Resampling

# Of 95 %.
ENDS = (0.025, 0.975)


def resampled_means(values: Floats, groups: Sequence[str]) -> Floats:
    """Return the means of the columns of ``(B, M)`` in draws of groups of images, ``(draws, M)``.

    Draws depend on the groups alone; NaN is left out.
    """
    nothing = np.zeros(len(groups), int)
    means: Floats = Resampling(groups, nothing, nothing, draws=2000, seed=0).means(values)
    return means


def interval(values: Floats, groups: Sequence[str]) -> tuple[float, float]:
    """Return the percentile interval of the mean of ``(B,)``; NaN where nothing is defined."""
    if np.isnan(values).all():
        return float("nan"), float("nan")
    low, high = np.nanquantile(resampled_means(values[:, None], groups)[:, 0], ENDS)
    return float(low), float(high)
