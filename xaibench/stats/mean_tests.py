"""Whether means of clustered differences are zero: many columns at once."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import t

from xaibench.stats.clusters import Clusters, Floats, Spread, spread, sum_by
from xaibench.stats.rounding import P_DIGITS, rounded
from xaibench.stats.sign_flips import sign_flip_p
from xaibench.stats.skewed_mean import skewed_mean_p
from xaibench.stats.training_sets import SetSpread, TrainingSets, set_p, set_spread

_FEW = 12  # groups of which nobody can tell how skewed they are
_BUNDLES = 512
_SMALLEST = 1e-15
# Each halves the range of a p-value's logarithm.
_HALVINGS = 40


class MeanTest(NamedTuple):
    """What tests need of P columns of differences.

    ``sums`` ``(G, P)`` are those of groups, or of bundles of many groups, and ``sizes`` ``(G,)``
    their units; ``spread`` is None where there is a single seed, ``over_sets`` where nothing is
    known of new training sets.
    """

    sums: Floats
    sizes: Floats
    spread: Spread | None
    over_sets: SetSpread | None = None


def evidence(differences: Floats, units: Clusters, sets: TrainingSets | None = None) -> MeanTest:
    """Sum up columns ``(N, P)`` without NaN for `mean_tests`; many go into little memory.

    Args:
        differences: of units in two groups at least.
        units: their clusters.
        sets: what distinguishes their training sets.
    """
    sums, sizes = sum_by(units.group, differences), np.bincount(units.group).astype(float)
    if len(sums) > _BUNDLES:
        # By chance: names go class by class, and bundles of all classes hide what these differ by.
        bundle = np.random.default_rng(len(sums)).permutation(len(sums)) % _BUNDLES
        sums, sizes = sum_by(bundle, sums), np.bincount(bundle, sizes)
    return MeanTest(
        sums,
        sizes,
        spread(differences, units) if units.retrained else None,
        set_spread(differences, sets) if sets else None,
    )


def mean_tests(found: Sequence[MeanTest]) -> list[Floats]:
    """Return the p-values of columns, ``(P,)`` for each piece of evidence; see `paired_test`.

    They have `P_DIGITS` digits, so that a last one decides nothing.
    """
    p = [_of_groups(each.sums, each.sizes) for each in found]
    several = [at for at, each in enumerate(found) if each.spread is not None]
    spreads = [spread for each in found if (spread := each.spread) is not None]
    for at, level in zip(several, _two_way(spreads), strict=True):
        p[at] = np.maximum(p[at], level)
    return [rounded(each, digits=P_DIGITS) for each in p]


def training_set_tests(found: Sequence[MeanTest], p: Sequence[Floats]) -> list[Floats]:
    """Return p-values over new training sets, ``(P,)`` for each piece; NaN where that is unknown.

    They are never below those of new images.

    Args:
        found: the evidence.
        p: what `mean_tests` says of it.
    """
    over_sets = []
    for each, of_images in zip(found, p, strict=True):
        if each.over_sets is None:
            over_sets.append(np.full(len(of_images), np.nan))
        else:
            level = rounded(set_p(each.over_sets), digits=P_DIGITS)
            over_sets.append(np.maximum(of_images, level))
    return over_sets


def _of_groups(sums: Floats, sizes: Floats) -> Floats:
    """Return the larger of two p-values of groups' sums ``(G, P)``: of signs, and of a t-test."""
    p = sign_flip_p(sums)
    return p if len(sums) <= _FEW else np.maximum(p, skewed_mean_p(sums, sizes))


def _two_way(spreads: Sequence[Spread]) -> list[Floats]:
    """Return the levels at which the columns' intervals would end at zero."""
    if not spreads:
        return []
    sizes = [len(each.mean) for each in spreads]
    mean, variance, training_variance = (
        np.concatenate([each[at] for each in spreads]) for at in range(3)
    )
    degrees, training_degrees = (np.repeat([each[at] for each in spreads], sizes) for at in (3, 4))
    low, high = np.full(len(mean), np.log(_SMALLEST)), np.zeros(len(mean))
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        tail = np.exp(middle) / 2
        own = t.isf(tail, degrees) ** 2 * variance
        beyond = own + t.isf(tail, training_degrees) ** 2 * training_variance > mean**2
        low, high = np.where(beyond, middle, low), np.where(beyond, high, middle)
    return np.split(np.exp(high), np.cumsum(sizes)[:-1])
