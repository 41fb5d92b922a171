"""Paired tests of two columns of scores, and Holm's correction for many of them."""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import wilcoxon

from xaibench.stats.clusters import Floats, clusters, sum_by
from xaibench.stats.mean_tests import evidence, mean_tests


def paired_test(
    a: ArrayLike,
    b: ArrayLike,
    groups: ArrayLike,
    folds: ArrayLike,
    seeds: ArrayLike,
    *,
    method: Literal["mean", "wilcoxon"] = "mean",
) -> float:
    """Return the two-sided p-value of the mean difference where both are defined.

    One seed: the groups' summed differences keep or change their signs together, and all signs are
    counted or approximated (`sign_flip_p`). More than 512 groups are flipped in 512 bundles, which
    is no less exact. Signs presume that differences scatter evenly about their mean; where half are
    equal and the rest lognormal, they alone would find too much. So the p-value of more than 12
    groups is never below that of the t-test that allows for skewness (`skewed_mean_p`).
    Levels that differ between folds make the test careful.

    Several seeds: signs say nothing of new trainings, of which there are too few to flip. There
    the two-way clustered variance is tested, with Student quantiles of their own for groups and
    trainings, as `interval` has them; the p-value is never below that of the flipped groups.

    ``wilcoxon`` ranks the groups' mean differences instead, and covers only these seeds.

    Args:
        a: ``(N,)`` scores, NaN where undefined.
        b: ``(N,)`` scores of the same units.
        groups: ``(N,)``.
        folds: ``(N,)``.
        seeds: ``(N,)``.
        method: ``mean`` or ``wilcoxon``.

    Returns:
        1 where all differences are 0; NaN with fewer than two groups.
    """
    differences = np.asarray(a, float) - np.asarray(b, float)
    defined = ~np.isnan(differences)
    differences = differences[defined]
    units = clusters(*(np.asarray(labels)[defined] for labels in (groups, folds, seeds)))
    if units.group.max(initial=0) < 1:
        return float("nan")
    if not differences.any():
        return 1.0
    if method == "wilcoxon":
        means = sum_by(units.group, differences) / np.bincount(units.group)
        return float(wilcoxon(means).pvalue) if means.any() else 1.0
    (p,) = mean_tests([evidence(differences[:, None], units)])
    return float(p[0])


def holm(p_values: ArrayLike) -> Floats:
    """Adjust p-values so that one may reject all below a level together (holm1979).

    The chance that any true hypothesis is rejected then stays below the level, however the tests
    depend on each other.

    Args:
        p_values: any shape; NaN stays NaN and doesn't count.

    >>> holm([0.01, 0.04, float("nan"), 0.03]).tolist()
    [0.03, 0.06, nan, 0.06]
    """
    table = np.asarray(p_values, float)
    adjusted = np.full(table.size, np.nan)
    known = np.flatnonzero(~np.isnan(table.ravel()))
    order = known[np.argsort(table.ravel()[known], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.maximum.accumulate(table.ravel()[order] * factors).clip(max=1)
    return adjusted.reshape(table.shape)
