"""The t-test of a mean that allows for skewed differences, also those that the sample hides."""

import numpy as np
from scipy.stats import t

from xaibench.stats.clusters import Floats
from xaibench.stats.rounding import negligible

# A sample's skewness and kurtosis fall short of the truth: the largest values are rarely drawn.
_SKEW_FACTOR = 1.25
_LEAST_SHARE = 1 / 4  # of the degrees of freedom
_MOST_CORRECTED = 1.9  # half of the statistic: the expansion holds for small corrections


def skewed_mean_p(sums: Floats, sizes: Floats) -> Floats:
    """Return for each column the two-sided p-value that its mean is zero (hall1992removal).

    The t statistic is transformed to allow for skewness. The skewness is the sample's, times 1.25;
    the degrees of freedom are those of a variance whose terms have the sample's kurtosis. Scores
    may have a tail that no group shows: their skewness is moved by one standard error towards the
    side of no difference, their degrees of freedom are half as many, and groups whose sum is 0 tell
    nothing and don't count. Hits have no such tail: units differ by -1, 0 or 1.

    Args:
        sums: ``(G, P)``, of groups.
        sizes: ``(G,)``, how many units each group has.

    Returns:
        ``(P,)``; 0 where all groups differ by the same amount, or by one amount up or down: then
        signs alone say how sure that is.
    """
    size = np.abs(sums)
    largest = size.max(axis=0)
    hits = (sums == np.rint(sums)).all(axis=0) & (size <= sizes[:, None]).all(axis=0)
    differ = ~negligible(size, largest) | hits
    count = differ.sum(axis=0).clip(1)
    share = np.where(differ, sizes[:, None], 0.0)
    share /= share.sum(axis=0).clip(1)
    total = sums.sum(axis=0)
    # As far as leaving each group out moves the mean.
    off = (np.where(differ, sums, 0) - share * total) / (1 - share).clip(1e-9)
    square = (off**2).mean(axis=0) * len(off) / count
    smallest = np.where(negligible(size, largest), np.inf, size).min(axis=0)
    known = ~negligible(np.sqrt(square), largest) & ~negligible(largest - smallest, largest)
    square = np.where(known, square, 1)
    # Of an image, as if images of a group were alike: a large group is no outlier.
    own = off / sizes[:, None]
    scale = np.sqrt((own**2).sum(axis=0) / count)
    own /= np.where(scale > 0, scale, 1)
    skewness, kurtosis = ((own**power).sum(axis=0) / count for power in (3, 4))
    # Uneven groups are worth fewer even ones: those whose sum would be as skewed.
    even = (share**2).sum(axis=0) ** 3 / (share**3).sum(axis=0).clip(1e-9) ** 2
    even = even.clip(1)
    skewness *= np.sqrt(count / even)
    ratio = total / count / np.sqrt(square * (count - 1).clip(1) / count)
    hidden = np.where(hits, 0, np.sign(ratio) * np.sqrt(6 / even))
    skew = _SKEW_FACTOR * skewness - hidden
    part = np.maximum(skew * ratio, -_MOST_CORRECTED)
    bent = ratio * (1 + part / 3 + part**2 / 27) + skew / (6 * count)
    most = (count - 1).clip(1)
    degrees = np.where(hits, 2, 1) * even / (kurtosis - 1).clip(1e-9)
    degrees = np.clip(degrees, _LEAST_SHARE * most, most)
    p = 2 * t.sf(np.sqrt(count) * np.abs(bent), degrees)
    # On the other side of 0 there is no evidence, whatever the skewness.
    found: Floats = np.where(known, np.where(bent * ratio < 0, 1, p), 0)
    return found
