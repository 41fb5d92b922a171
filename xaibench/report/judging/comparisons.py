"""A study in numbers: each arm's score, and how it differs from the arm that it is set against."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from xaibench.report.facts.section import Floats, Section, mean
from xaibench.report.judging.arms import OF_CLASSIFIERS
from xaibench.report.judging.judge import DRAWS, bounded_intervals
from xaibench.report.judging.tested import LEVEL
from xaibench.results.records import RunRecord
from xaibench.results.study_records import Arm
from xaibench.stats.paired import holm, paired_test
from xaibench.stats.power import detectable_difference
from xaibench.stats.rates import wilson
from xaibench.stats.resampling import Resampling
from xaibench.stats.rounding import negligible, rounded_table
from xaibench.stats.training_sets import set_intervals, set_p, set_spread

TREND = "trend"
_FEWEST_LEVELS = 3


class ComparisonRow(NamedTuple):
    """A line of the table: scores ``(N,)``, and what they differ by from those of ``against``.

    Either is NaN throughout where it makes no sense.
    """

    series: str
    level: str
    values: Floats
    against: str
    gap: Floats


def compare_arms(
    section: Section, run: RunRecord, arms: Sequence[Arm], *, ordered: bool
) -> pd.DataFrame:
    """Return one row for each metric, method and arm, factor level, or trend.

    Columns: ``metric``; ``method``, empty for accuracy and loss; ``kind`` (``arm``, ``factor`` or
    ``trend``); ``series``, of a factor its name; ``level``; ``n`` (scores of all seeds and folds),
    ``groups``; ``value``, ``low``, ``high``, the mean and its 95 % interval;
    ``against``, ``difference``, ``difference_low``, ``difference_high``, paired by image; ``p``,
    and ``p_holm`` corrected for all rows of the same metric, method and kind; ``detectable``, the
    minimum detectable difference (80 % power) under that correction, NaN where
    nothing differs; ``difference_low_training_sets``, ``difference_high_training_sets`` and
    ``p_holm_training_sets``, which generalize to new training sets, too, NaN where nothing tells of
    these.

    A factor's level is the mean of all arms that have it, over combinations of the other factors
    that are there at every level. A trend is the change from the first level to the last on a
    straight line over the levels' order, fitted to each image.

    Args:
        section: from `gather_arms`.
        run: its ``run.json``.
        arms: in the order of the table.
        ordered: whether levels may show a trend.
    """
    drawing = Resampling(*section.clusters, draws=DRAWS)
    tables = []
    for metric, method in _measured(section, run):
        columns = dict(_columns(section, metric, method, arms))
        if len(columns) < 2:  # noqa: PLR2004 (one arm alone is compared with nothing)
            continue
        kinds = {"arm": _arm_lines(columns, arms), "factor": _factor_lines(columns, arms)}
        kinds |= {TREND: _trend_lines(columns, arms)} if ordered else {}
        for kind, lines in kinds.items():
            if lines:
                names = {"metric": metric, "method": method, "kind": kind}
                table = _judge(lines, section, run.metrics[metric].limits, drawing)
                tables.append(table.assign(**names)[[*names, *table]])
    return rounded_table(pd.concat(tables, ignore_index=True))


def _measured(section: Section, run: RunRecord) -> Iterator[tuple[str, str]]:
    """Yield accuracy and loss, then each metric with each method that competes."""
    methods = dict.fromkeys(row.method for row in section.rows if row.competes)
    for metric in run.metrics:
        for method in methods:
            if (metric in OF_CLASSIFIERS) == (not method):
                yield metric, method


def _columns(
    section: Section, metric: str, method: str, arms: Sequence[Arm]
) -> Iterator[tuple[str, Floats]]:
    places = {(row.model, row.method): at for at, row in enumerate(section.rows)}
    for arm in arms:
        place = places.get((arm.key, method))
        if place is not None:
            values = section.values[metric][:, place]
            if not np.isnan(values).all():
                yield arm.key, values


def _arm_lines(columns: Mapping[str, Floats], arms: Sequence[Arm]) -> list[ComparisonRow]:
    by_key = {arm.key: arm for arm in arms}
    lines = []
    for arm in (arm for arm in arms if arm.key in columns):
        other = by_key[next((key for key in arm.against if key in columns), arm.key)]
        name = f"{other.series}, {other.level}" if other.level != arm.level else other.series
        name = other.level if other.series == arm.series else name
        own = other is arm
        line = _line(arm.series, arm.level, columns[arm.key], name, columns[other.key], own=own)
        lines.append(line)
    return lines


def _factor_lines(columns: Mapping[str, Floats], arms: Sequence[Arm]) -> list[ComparisonRow]:
    lines = []
    for factor in dict.fromkeys(name for arm in arms for name in arm.factors):
        found: dict[str, dict[tuple[str, ...], Floats]] = {}
        for arm in arms:
            others = tuple(level for name, level in arm.factors.items() if name != factor)
            mine = found.setdefault(arm.factors[factor], {})
            if arm.key in columns:
                mine[others] = columns[arm.key]
        whole = sorted(set.intersection(*map(set, found.values())))
        if len(found) > 1 and whole:
            means = {
                level: np.mean([mine[others] for others in whole], axis=0)
                for level, mine in found.items()
            }
            first, *_ = means
            lines += [
                _line(factor, level, values, first, means[first], own=level == first)
                for level, values in means.items()
            ]
    return lines


def _trend_lines(columns: Mapping[str, Floats], arms: Sequence[Arm]) -> list[ComparisonRow]:
    lines = []
    for series in dict.fromkeys(arm.series for arm in arms):
        mine = [arm for arm in arms if arm.series == series and arm.key in columns]
        if len(mine) >= _FEWEST_LEVELS:
            steps = np.arange(len(mine)) - (len(mine) - 1) / 2
            slopes = np.stack([columns[arm.key] for arm in mine], axis=1) @ steps / (steps @ steps)
            nothing = np.full(len(slopes), np.nan)
            span = f"{mine[0].level} to {mine[-1].level}"
            lines.append(ComparisonRow(series, span, nothing, "", slopes * (len(mine) - 1)))
    return lines


def _line(
    series: str, level: str, values: Floats, against: str, others: Floats, *, own: bool
) -> ComparisonRow:
    gap = np.full(len(values), np.nan) if own else values - others
    return ComparisonRow(series, level, values, "" if own else against, gap)


def _judge(
    lines: Sequence[ComparisonRow],
    section: Section,
    bounds: tuple[float, float],
    drawing: Resampling,
) -> pd.DataFrame:
    values = np.stack([line.values for line in lines], axis=1)
    gaps = np.stack([line.gap for line in lines], axis=1)
    # What is left of equal scores, after means over arms and straight lines, is no difference.
    gaps[negligible(gaps, np.nanmax(np.abs(values), initial=0))] = 0
    drawn = np.split(drawing.means(np.concatenate([values, gaps], axis=1)), 2, axis=1)
    low, high = bounded_intervals(values, drawn[0], section.clusters, bounds)
    counted = np.where(np.isnan(values).all(axis=0), gaps, values)
    return pd.DataFrame(
        {
            "series": [line.series for line in lines],
            "level": [line.level for line in lines],
            "n": (~np.isnan(counted)).sum(axis=0),
            "groups": section.count_groups(counted),
            "value": mean(values),
            "low": low,
            "high": high,
            "against": [line.against for line in lines],
            **_differences(gaps, drawn[1], section, bounds[1] - bounds[0]),
        }
    )


def _differences(gaps: Floats, drawn: Floats, section: Section, reach: float) -> dict[str, Floats]:
    low, high = bounded_intervals(gaps, drawn, section.clusters, (-reach, reach))
    # Where nothing differs, something may yet on images that weren't there: Wilson's bound.
    alike = ~np.nan_to_num(gaps).any(axis=0) & ~np.isnan(gaps).all(axis=0)
    groups = section.count_groups(gaps)
    unseen = wilson(0 * groups, groups).high * (reach if np.isfinite(reach) else np.nan)
    p = np.array([paired_test(gap, 0 * gap, *section.clusters) for gap in gaps.T])
    level = LEVEL / max(int((~np.isnan(p)).sum()), 1)
    detectable = [detectable_difference(gap, *section.clusters, level=level) for gap in gaps.T]
    return {
        "difference": mean(gaps),
        "difference_low": np.where(alike, -unseen, low),
        "difference_high": np.where(alike, unseen, high),
        "p": p,
        "p_holm": holm(p),
        "detectable": np.where(alike, np.nan, detectable),
        **_over_training_sets(gaps, p, section),
    }


def _over_training_sets(gaps: Floats, p: Floats, section: Section) -> dict[str, Floats]:
    """Return intervals and tests for new training sets; no p-value is below that of ``p``."""
    low, high, over_sets = np.full((3, len(p)), np.nan)
    if (sets := section.training_sets) is not None:
        low, high = set_intervals(gaps, sets)
        for at in np.flatnonzero(~np.isnan(low)):
            defined = ~np.isnan(gaps[:, at])
            spread = set_spread(gaps[defined, at : at + 1], sets._replace(fold=sets.fold[defined]))
            over_sets[at] = np.nan if spread is None else max(set_p(spread)[0], p[at])
    return {
        "difference_low_training_sets": low,
        "difference_high_training_sets": high,
        "p_holm_training_sets": holm(over_sets),
    }
