"""What a paired comparison could have told apart, and how many images it would take."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import t

from xaibench.stats.clusters import clusters, number, spread


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
        _, error, _ = _error(values[defined], units.group)
        return error * _reach(count - 1, power, level)
    found = spread(values[defined][:, None], units)
    of_groups = found.variance[0] * _reach(found.degrees, power, level) ** 2
    of_trainings = found.training_variance[0] * _reach(found.training_degrees, power, level) ** 2
    return float(np.sqrt(of_groups + of_trainings))


def images_needed(
    difference: float,
    differences: ArrayLike,
    groups: ArrayLike,
    *,
    power: float = 0.8,
    level: float = 0.05,
) -> int:
    """Return how many images it takes to find a mean difference, all else being as observed.

    Groups keep their observed mean size.

    Args:
        difference: to be found, not 0; its sign doesn't matter.
        differences: ``(N,)`` observed; NaN doesn't count.
        groups: ``(N,)``.
        power: chance of finding it.
        level: of the two-sided test.

    Raises:
        ValueError: the difference is 0 or NaN, or there are fewer than two groups.
    """
    images, error, count = _error(differences, groups)
    if not abs(difference) > 0 or count < 2:  # noqa: PLR2004
        raise ValueError("images_needed takes a difference that isn't 0, and two groups at least.")
    spread = error * np.sqrt(count)

    def enough(many: int) -> bool:
        return bool(spread / np.sqrt(many) * _reach(many - 1, power, level) <= abs(difference))

    high = 2
    while not enough(high):
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return int(np.ceil(high * images / count))


def _error(differences: ArrayLike, groups: ArrayLike) -> tuple[int, float, int]:
    """Return defined pairs, the standard error of their mean, and the number of groups."""
    values = np.asarray(differences, float)
    defined = ~np.isnan(values)
    values = values[defined]
    codes = number(np.asarray(groups)[defined])
    count = int(codes.max(initial=-1)) + 1
    if count < 2:  # noqa: PLR2004
        return len(values), float("nan"), count
    sums = np.bincount(codes, (values - values.mean()) / len(values))
    return len(values), float(np.sqrt(count / (count - 1) * (sums @ sums))), count


def _reach(degrees: float, power: float, level: float) -> float:
    """How many standard errors: the test's own reach, and as much again as the power asks for."""
    return float(t.ppf(1 - level / 2, degrees) + t.ppf(power, degrees))
