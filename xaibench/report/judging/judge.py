"""How sure each value of a section is: intervals, tests of all pairs, ties and ranks."""

from dataclasses import dataclass

import numpy as np

from xaibench.report.facts.section import Floats, Labels, Section, mean
from xaibench.report.facts.supervision import is_upper_bound
from xaibench.results.records import RunRecord
from xaibench.stats.intervals import intervals
from xaibench.stats.paired import holm
from xaibench.stats.pairwise import paired_tests
from xaibench.stats.ranks import rank_intervals, tie_groups
from xaibench.stats.resampling import Resampling
from xaibench.stats.rounding import negligible, rounded
from xaibench.stats.skill import skill

LEVEL = 0.05
DRAWS = 2000


@dataclass(frozen=True)
class Judged:
    """One metric of a section; all ``(M,)`` follow the section's rows.

    ``low`` and ``high`` are cut to the metric's bounds. ``p`` ``(M, M)`` is adjusted by Holm over
    all pairs of rows that compete, NaN elsewhere, and 1 where the images that both rows have order
    them otherwise than their means do: a row that lacks hard images must not win. ``ties`` and
    ``ranks`` ``(M, 2)`` are empty and 0 for controls, and for metrics that never rank.
    """

    mean: Floats
    low: Floats
    high: Floats
    p: Floats
    ties: list[str]
    ranks: np.ndarray
    skill: Floats


def judge(section: Section, run: RunRecord) -> dict[str, Judged]:
    """Judge all metrics; draws of images are shared by all rows and metrics."""
    stacked = np.concatenate([section.values[metric] for metric in run.metrics], axis=1)
    drawn = Resampling(*section.clusters, draws=DRAWS).means(stacked)
    blocks = np.split(drawn, len(run.metrics), axis=1)
    return {
        metric: _judge(section, run, metric, block)
        for metric, block in zip(run.metrics, blocks, strict=True)
    }


def bounded_intervals(
    values: Floats, drawn: Floats, labels: Labels, bounds: tuple[float, float]
) -> tuple[Floats, Floats]:
    """Return the ends of each column's interval, ``(M,)`` each; they are `rounded`.

    Args:
        values: ``(N, M)``.
        drawn: ``(draws, M)``, the columns of `Resampling.means`.
        labels: of the units, as `Section.clusters` has them.
        bounds: of the metric, which ends are cut to.
    """
    low, high = intervals(values, drawn, *labels)
    found, size = mean(values), mean(np.abs(values))
    lowest, highest = np.minimum(bounds[0], found), np.maximum(bounds[1], found)
    low, high = rounded(low, size), rounded(high, size)
    return np.maximum(low, lowest), np.minimum(high, highest)


def blind_row(section: Section, run: RunRecord, metric: str, model: str) -> int | None:
    """Return the place of the best blind control: of this model, or of any where it has none."""
    found = mean(section.values[metric])
    blind = [
        place
        for place, row in enumerate(section.rows)
        if run.is_blind(row.method) and not np.isnan(found[place])
    ]
    own = [place for place in blind if section.rows[place].model == model] or blind
    return max(own, key=lambda place: run.metrics[metric].sign * found[place], default=None)


def worse_than_blind(section: Section, run: RunRecord, metric: str) -> dict[int, tuple[int, float]]:
    """Compare each row that competes with its best blind control.

    Returns:
        Place -> (the control's place, p-value of the paired test under Holm's correction).
    """
    values = section.values[metric]
    pairs = {
        place: blind
        for place in section.ranked
        if (blind := blind_row(section, run, metric, section.rows[place].model)) is not None
        and not np.isnan(values[:, place]).all()
    }
    found = paired_tests(values, *section.clusters, pairs=pairs.items())
    tests = [
        np.nan if _contradicted(values[:, [a, b]])[0, 1] else found[a, b] for a, b in pairs.items()
    ]
    return {
        place: (blind, float(p))
        for (place, blind), p in zip(pairs.items(), holm(tests), strict=True)
    }


def _judge(section: Section, run: RunRecord, metric: str, drawn: Floats) -> Judged:
    values, count = section.values[metric], len(section.rows)
    found = mean(values)
    low, high = bounded_intervals(values, drawn, section.clusters, run.metrics[metric].limits)
    p = np.full((count, count), np.nan)
    ties, ranks = [""] * count, np.zeros((count, 2), int)
    ranked = [at for at in section.ranked if not np.isnan(found[at])]
    if run.metrics[metric].ranked and len(ranked) > 1:
        better = run.metrics[metric].higher_is_better
        raw = paired_tests(values[:, ranked], *section.clusters)
        pairs = np.triu_indices(len(ranked), 1)
        adjusted = np.full(raw.shape, np.nan)
        adjusted[pairs] = holm(raw[pairs])
        adjusted.T[pairs] = adjusted[pairs]
        adjusted[_contradicted(values[:, ranked])] = 1
        p[np.ix_(ranked, ranked)] = adjusted
        differ = adjusted < LEVEL
        letters = tie_groups(found[ranked], differ, higher_is_better=better)
        ranks[ranked] = rank_intervals(found[ranked], differ, higher_is_better=better)
        for place, text in zip(ranked, letters, strict=True):
            ties[place] = text
    return Judged(found, low, high, p, ties, ranks, _skill(section, run, metric, found))


def _contradicted(values: Floats) -> np.ndarray:
    """Tell for each pair of columns whether common units order them otherwise than their means."""
    defined = ~np.isnan(values)
    if (defined == defined[:, :1]).all():
        return np.zeros((values.shape[1],) * 2, bool)
    filled, known = np.where(defined, values, 0), defined.astype(float)
    sums, sizes = filled.T @ known, np.abs(filled).T @ known
    gap, means = sums - sums.T, mean(values)
    gap[negligible(gap, sizes + sizes.T)] = 0
    return np.asarray(gap * (means[:, None] - means[None]) < 0)


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
    trivial = np.full(len(found), np.nan)
    for place, row in enumerate(section.rows):
        blind = blind_row(section, run, metric, row.model)
        if blind is not None and run.kind_of(row.method) != "control":
            trivial[place] = found[blind]
    better = run.metrics[metric].higher_is_better
    bound = max(upper) if better else min(upper)
    return skill(found, trivial, np.full(len(found), bound), higher_is_better=better)
