"""Tests of all pairs of rows, and their correction: the primary metric's alone."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from xaibench.report.facts.section import Floats, Section, mean
from xaibench.results.records import RunRecord
from xaibench.stats.paired import holm
from xaibench.stats.pairwise import PairTests, paired_tests
from xaibench.stats.rounding import negligible

LEVEL = 0.05


class Tested(NamedTuple):
    """The rows of a metric that compete, and the p-values of their pairs."""

    places: list[int]
    p: PairTests


def test_pairs(section: Section, run: RunRecord, metric: str) -> Tested:
    """Test all pairs of rows that compete; of none where the metric never ranks."""
    values = section.values[metric]
    ranked = [at for at in section.ranked if not np.isnan(values[:, at]).all()]
    if not run.metrics[metric].ranked or len(ranked) < 2:  # noqa: PLR2004
        return Tested([], PairTests(np.zeros((0, 0)), np.zeros((0, 0))))
    found = paired_tests(values[:, ranked], *section.clusters, sets=section.training_sets)
    return Tested(ranked, found)


def correct(tested: Mapping[str, Tested], primary: str | None) -> dict[str, Tested]:
    """Adjust p-values by Holm: the primary metric's alone, those of all others together."""
    others = [metric for metric in tested if metric != primary]
    alone = [metric for metric in tested if metric == primary]
    found: dict[str, Tested] = {}
    for family in (alone, others):
        of_images = _adjust([tested[metric].p.images for metric in family])
        over_sets = _adjust([tested[metric].p.training_sets for metric in family])
        for metric, *both in zip(family, of_images, over_sets, strict=True):
            found[metric] = Tested(tested[metric].places, PairTests(*both))
    return found


def _adjust(raw: Sequence[Floats]) -> list[Floats]:
    """Adjust symmetric matrices together."""
    if not raw:
        return []
    above = [np.triu_indices(len(matrix), 1) for matrix in raw]
    joined = holm([p for m, at in zip(raw, above, strict=True) for p in m[at]])
    ends = np.cumsum([len(rows) for rows, _ in above])[:-1]
    found = [np.full(matrix.shape, np.nan) for matrix in raw]
    for matrix, at, p in zip(found, above, np.split(joined, ends), strict=True):
        matrix[at] = p
        matrix.T[at] = p
    return found


def contradicted(values: Floats) -> np.ndarray:
    """Tell for each pair of columns whether common units order them otherwise than their means."""
    defined = ~np.isnan(values)
    if (defined == defined[:, :1]).all():
        return np.zeros((values.shape[1],) * 2, bool)
    filled, known = np.where(defined, values, 0), defined.astype(float)
    sums, sizes = filled.T @ known, np.abs(filled).T @ known
    gap, means = sums - sums.T, mean(values)
    gap[negligible(gap, sizes + sizes.T)] = 0
    return np.asarray(gap * (means[:, None] - means[None]) < 0)
