"""How many images, folds and seeds a difference takes: designs, and what each could find."""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xaibench.core.errors import XaibenchError
from xaibench.core.repeats import count_all_folds, plain_split
from xaibench.report.facts.section import Section
from xaibench.stats.power import (
    Components,
    Detectable,
    UnitDesign,
    components,
    design_of,
    detectable,
)

USUAL = Components(image=0.141, answer=0.098, training=0.016, training_set=0.012)
"""The median of all pairs of rows by iou (`median_components`) of 300 images of BUSI, five folds,
three seeds: `xaibench run --suite benchmarks/two_cores.toml --part busi`."""
SPLITS = ("kfold:5", "kfold:10", "kfold:5x3")
SEEDS = (1, 3, 5)
_MOST_PAIRS = 100


class PlannedDesign(NamedTuple):
    """One way to do it, the trainings of each network that it takes, and what it could find."""

    images: int
    split: str
    seeds: int
    trainings: int
    found: Detectable


def median_components(section: Section, metric: str) -> Components:
    """Return the median over pairs of rows of their differences' variance components.

    Args:
        section: of a finished run.
        metric: one of its metrics.

    Raises:
        XaibenchError: fewer than two rows have scores by it.
    """
    values = section.values[metric]
    ranked = [at for at in section.ranked if not np.isnan(values[:, at]).all()]
    pairs = list(combinations(ranked, 2))
    found = []
    for one, other in pairs[:: -(-len(pairs) // _MOST_PAIRS) or 1]:
        gap = values[:, one] - values[:, other]
        known = ~np.isnan(gap)
        design = design_where(section, known)
        if gap[known].any() and design.units.group.max(initial=0) > 0:
            found.append(components(gap[known], design))
    if not found:
        raise XaibenchError(f"fewer than two rows have scores by {metric} that differ.")
    return Components(*(float(each) for each in np.median(found, axis=0)))


def design_where(section: Section, known: NDArray[np.bool_]) -> UnitDesign:
    """Return the design of those units of a section that are known, ``(N,)``."""
    names = ("sample", "group", "fold", "seed")
    return design_of(*(section.units[name].to_numpy()[known] for name in names))


def designs(
    found: Components, images: Sequence[int], *, power: float, level: float
) -> Iterator[PlannedDesign]:
    """Yield designs, the cheapest first, each with its minimum detectable differences.

    Args:
        found: variance components of a paired difference.
        images: numbers of independent images that all folds test together.
        power: chance of finding the difference.
        level: of the two-sided test.
    """
    planned = [
        (count, split, seeds, count_all_folds(split) * seeds)
        for count in images
        for split in SPLITS
        for seeds in SEEDS
    ]
    for count, split, seeds, trainings in sorted(planned, key=lambda each: (each[0], each[3])):
        known = detectable(found, _design(count, split, seeds), power=power, level=level)
        yield PlannedDesign(count, split, seeds, trainings, known)


def _design(images: int, split: str, seeds: int) -> UnitDesign:
    """Return the design of independent images, divided at random in every repetition."""
    _, repeats = plain_split(split)
    folds = count_all_folds(split) // repeats
    random = np.random.default_rng(0)
    sample = np.concatenate([random.permutation(images) for _ in range(repeats)])
    fold = np.arange(images * repeats) % images * folds // images
    fold += np.repeat(np.arange(repeats), images) * folds
    label = np.tile(sample, seeds)
    return design_of(label, label, np.tile(fold, seeds), np.repeat(np.arange(seeds), len(sample)))
