"""How sure each value of a section is: intervals, tests of all pairs, ties and ranks."""

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from xaibench.core.threads import map_by_threads
from xaibench.report.facts.section import Floats, Labels, Section, mean
from xaibench.report.facts.supervision import is_upper_bound
from xaibench.report.facts.traits import primary_metric
from xaibench.report.judging.blind import blind_rows
from xaibench.report.judging.tested import LEVEL, Tested, contradicted, correct, test_pairs
from xaibench.results.records import RunRecord
from xaibench.stats.intervals import intervals
from xaibench.stats.ranks import rank_intervals, tie_groups
from xaibench.stats.resampling import Resampling
from xaibench.stats.rounding import rounded
from xaibench.stats.skill import skill
from xaibench.stats.training_sets import set_intervals

DRAWS = 2000


@dataclass(frozen=True)
class Judged:
    """One metric of a section; all ``(M,)`` follow the section's rows.

    ``low`` and ``high`` are cut to the metric's bounds. ``p`` ``(M, M)`` is adjusted by Holm, NaN
    but for pairs of rows that compete, and 1 where the images that both rows have order them
    otherwise than their means do: a row that lacks hard images must not win. The primary metric's
    pairs are corrected among themselves, those of all others together. ``ties`` and ``ranks``
    ``(M, 2)`` are empty and 0 for controls, and for metrics that never rank; ranks also for those
    that maps without a network win.

    All these generalize to new test images, and with several seeds to new trainings on the same
    training sets. ``over_sets`` says the same of new training sets; None where nothing tells.
    """

    mean: Floats
    low: Floats
    high: Floats
    p: Floats
    ties: list[str]
    ranks: np.ndarray
    skill: Floats
    over_sets: "OverSets | None" = None


@dataclass(frozen=True)
class OverSets:
    """`Judged`'s interval, p-values and letters, where training sets are drawn anew as well."""

    low: Floats
    high: Floats
    p: Floats
    ties: list[str]


def judge(section: Section, run: RunRecord) -> dict[str, Judged]:
    """Judge all metrics; draws of images are shared by all rows and metrics."""
    stacked = np.concatenate([section.values[metric] for metric in run.metrics], axis=1)
    drawn = Resampling(*section.clusters, draws=DRAWS).means(stacked)
    blocks = np.split(drawn, len(run.metrics), axis=1)
    names = list(run.metrics)
    tests = map_by_threads(partial(test_pairs, section, run), names)
    tested = dict(zip(names, tests, strict=True))
    adjusted = correct(tested, primary_metric(run))
    drawn_of = dict(zip(run.metrics, blocks, strict=True))

    def act(metric: str) -> Judged:
        return _judge(section, run, metric, drawn_of[metric], adjusted[metric])

    return dict(zip(names, map_by_threads(act, names), strict=True))


def bounded_intervals(
    values: Floats, drawn: Floats, labels: Labels, bounds: tuple[ArrayLike, ArrayLike]
) -> tuple[Floats, Floats]:
    """Return the ends of each column's interval, ``(M,)`` each; they are `rounded`.

    Args:
        values: ``(N, M)``.
        drawn: ``(draws, M)``, the columns of `Resampling.means`.
        labels: of the units, as `Section.clusters` has them.
        bounds: of the metric, or of each column's, ``(M,)``, which ends are cut to.
    """
    low, high = intervals(values, drawn, *labels)
    found, size = mean(values), mean(np.abs(values))
    lowest, highest = np.minimum(bounds[0], found), np.maximum(bounds[1], found)
    low, high = rounded(low, size), rounded(high, size)
    return np.maximum(low, lowest), np.minimum(high, highest)


def _judge(section: Section, run: RunRecord, metric: str, drawn: Floats, tested: Tested) -> Judged:
    values, better = section.values[metric], run.metrics[metric].higher_is_better
    found = mean(values)
    low, high = bounded_intervals(values, drawn, section.clusters, run.metrics[metric].limits)
    places, (p, over_sets) = tested
    against = contradicted(values[:, places])
    p, ties = _letters(section, found, places, np.where(against, 1, p), better=better)
    ranks = np.zeros((len(section.rows), 2), int)
    if places and metric not in (run.won or {}):
        apart = p[np.ix_(places, places)] < LEVEL
        ranks[places] = rank_intervals(found[places], apart, higher_is_better=better)
    anew = None
    if section.training_sets:
        ends = _over_sets(section, metric, low, high, run.metrics[metric].limits)
        over_sets = np.where(against, 1, over_sets)
        anew = OverSets(*ends, *_letters(section, found, places, over_sets, better=better))
    return Judged(found, low, high, p, ties, ranks, _skill(section, run, metric, found), anew)


def _letters(
    section: Section, found: Floats, places: list[int], p: Floats, *, better: bool
) -> tuple[Floats, list[str]]:
    """Return the p-values and letters of all rows, from those that were tested."""
    count = len(section.rows)
    table, ties = np.full((count, count), np.nan), [""] * count
    if places:
        np.fill_diagonal(p, np.nan)
        table[np.ix_(places, places)] = p
        letters = tie_groups(found[places], p < LEVEL, higher_is_better=better)
        for place, text in zip(places, letters, strict=True):
            ties[place] = text
    return table, ties


def _over_sets(
    section: Section, metric: str, low: Floats, high: Floats, limits: tuple[float, float]
) -> tuple[Floats, Floats]:
    """Widen the intervals of new images to those of new training sets."""
    values, sets = section.values[metric], section.training_sets
    if sets is None:
        return np.full_like(low, np.nan), np.full_like(high, np.nan)
    wide = rounded(set_intervals(values, sets), mean(np.abs(values))).clip(*limits)
    return np.minimum(low, wide[0]), np.maximum(high, wide[1])


def _skill(section: Section, run: RunRecord, metric: str, found: Floats) -> Floats:
    """Place each row between its model's best blind control and the best segmentation network."""
    upper = [
        found[at]
        for at, row in enumerate(section.rows)
        if is_upper_bound(run, section.dataset, row.model, row.method)
    ]
    upper = [value for value in upper if not np.isnan(value)]
    if not upper:
        return np.full(len(found), np.nan)
    trivial, blind = np.full(len(found), np.nan), blind_rows(section, run, metric)
    for place, row in enumerate(section.rows):
        if blind and run.kind_of(row.method) != "control":
            trivial[place] = found[blind[row.model]]
    better = run.metrics[metric].higher_is_better
    bound = max(upper) if better else min(upper)
    return skill(found, trivial, np.full(len(found), bound), higher_is_better=better)
