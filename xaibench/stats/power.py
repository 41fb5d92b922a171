"""What a paired comparison could have told apart."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import t

from xaibench.stats.clusters import clusters, spread


def detectable_difference(
    differences: ArrayLike,
    groups: ArrayLike,
    folds: ArrayLike = 0,
    seeds: ArrayLike = 0,
    *,
    power: float = 0.8,
    level: float = 0.05,
) -> float:
    """Return the mean difference that a comparison of this size would find with this power.

    With several seeds in a fold it is one between networks that are trained again, as in
    `paired_test`: groups and trainings have a variance and a reach of their own.

    Args:
        differences: ``(N,)`` of the pairs' scores; NaN doesn't count.
        groups: ``(N,)``; images of one group count as one.
        folds: ``(N,)``, or one for all.
        seeds: ``(N,)``, or one for all.
        power: chance of finding it.
        level: of the two-sided test.

    Returns:
        A difference in the scores' unit, >= 0; NaN with fewer than two groups.
    """
    values = np.asarray(differences, float)
    defined = ~np.isnan(values)
    labels = (np.broadcast_to(each, values.shape)[defined] for each in (groups, folds, seeds))
    units = clusters(*labels)
    count = int(units.group.max(initial=-1)) + 1
    if count < 2:  # noqa: PLR2004
        return float("nan")
    if not units.retrained:
        known = values[defined]
        sums = np.bincount(units.group, (known - known.mean()) / len(known))
        return float(np.sqrt(count / (count - 1) * (sums @ sums))) * _reach(count - 1, power, level)
    found = spread(values[defined][:, None], units)
    of_groups = found.variance[0] * _reach(found.degrees, power, level) ** 2
    of_trainings = found.training_variance[0] * _reach(found.training_degrees, power, level) ** 2
    return float(np.sqrt(of_groups + of_trainings))


def _reach(degrees: float, power: float, level: float) -> float:
    """How many standard errors: the test's own reach, and as much again as the power asks for."""
    return float(t.ppf(1 - level / 2, degrees) + t.ppf(power, degrees))
