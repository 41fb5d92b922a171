"""The supervision frontier: what annotation took, and where learned overtakes post-hoc.

Draws of images and trainings are shared by all rows, so that each draw has a front, curves and
crossings of its own; their spread is the uncertainty.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from xaibench.core.supervision import Supervision
from xaibench.report.facts.annotation import Annotated, annotated_in
from xaibench.report.facts.section import Floats, Section, mean
from xaibench.report.facts.supervision import origin_of, supervision_of
from xaibench.report.judging.judge import DRAWS, bounded_intervals
from xaibench.results.records import MetricEntry
from xaibench.results.stored_run import read_run
from xaibench.results.study_records import Arm
from xaibench.stats.budget_curve import FEWEST, Curves, crossings, fit_curves
from xaibench.stats.pareto import undominated
from xaibench.stats.resampling import Resampling
from xaibench.stats.rounding import rounded_table

_ENDS = (2.5, 97.5)


class Frontier(NamedTuple):
    """Rows by their annotation, and the budget curves; both tables are as they are written.

    ``rows``: ``model``, ``method``, ``level``; ``origin``, ``supervision`` and its ``share``;
    ``annotated`` images and ``minutes``; ``value``, ``low``, ``high``; ``on_front``, whether no row
    is as cheap and as good, and ``front_share``, in how many of the draws.

    ``curves``: ``model``, ``method``; ``reference``, the best post-hoc row without masks, with its
    value; ``ceiling``, ``scale``, ``power``; ``fewest`` and ``most`` annotated images tried;
    ``overtakes_at`` with the ends of its 95 % interval, infinite where a curve stays below;
    ``held_out``, budgets predicted from the others, ``held_in``, how many of them rightly, and
    ``held_error``, the mean error.
    """

    metric: str
    rows: pd.DataFrame
    curves: pd.DataFrame


@dataclass(frozen=True)
class _Row:
    place: int
    arm: Arm
    method: str
    supervision: Supervision
    origin: str
    annotated: Annotated

    @property
    def count(self) -> float:
        return self.annotated.count(self.supervision)


def frontier(
    out: Path,
    arms: Sequence[Arm],
    section: Section,
    metric: tuple[str, MetricEntry],
    seconds: Mapping[str, float],
) -> Frontier:
    """Place all rows of a study by what their annotation took.

    Args:
        out: the study's folder, which holds its runs.
        arms: its models.
        section: from `gather_arms`.
        metric: of localization, with what ``run.json`` says of it.
        seconds: what a unit of annotation takes.
    """
    name, about = metric
    rows = list(_rows(out, arms, section, name))
    places = [row.place for row in rows]
    values = section.values[name][:, places]
    drawn = Resampling(*section.clusters, draws=DRAWS).means(values)
    low, high = bounded_intervals(values, drawn, section.clusters, about.limits)
    minutes = np.array([row.annotated.minutes(row.supervision, seconds) for row in rows])
    found = mean(values)
    shares = undominated(minutes, about.sign * drawn).mean(axis=0)
    table = pd.DataFrame(
        {
            "model": [row.arm.series for row in rows],
            "method": [row.method for row in rows],
            "level": [row.arm.level for row in rows],
            "origin": [row.origin for row in rows],
            "supervision": [row.supervision.kind for row in rows],
            "share": [row.supervision.share if row.count else 0.0 for row in rows],
            "annotated": [row.count for row in rows],
            "minutes": minutes,
            "value": found,
            "low": low,
            "high": high,
            "on_front": undominated(minutes, about.sign * found),
            "front_share": shares,
        }
    )
    curves = pd.DataFrame(list(_curves(rows, about.sign * found, about.sign * drawn, about.sign)))
    return Frontier(name, rounded_table(table), rounded_table(curves))


def _rows(out: Path, arms: Sequence[Arm], section: Section, metric: str) -> Iterator[_Row]:
    by_key = {arm.key: arm for arm in arms}
    runs = {arm.point: read_run(out / arm.point) for arm in arms}
    counted = {point: annotated_in(out / point, run) for point, run in runs.items()}
    for place in section.ranked:
        row = section.rows[place]
        arm = by_key[row.model]
        run = runs[arm.point]
        if not row.method or np.isnan(section.values[metric][:, place]).all():
            continue
        (known,) = supervision_of(run, section.dataset, [(arm.model, row.method)])
        if known is not None:
            share = known.share if known.localizes else np.nan
            origin = origin_of(run, row.method, share)
            yield _Row(place, arm, row.method, known, origin, counted[arm.point])


def _curves(
    rows: Sequence[_Row], found: Floats, drawn: Floats, sign: int
) -> Iterator[dict[str, object]]:
    """Yield a line for each method of a model that was given several budgets."""
    plain = [at for at, row in enumerate(rows) if row.origin == "post-hoc" and not row.count]
    best = max(plain, key=lambda at: found[at], default=None)
    series: dict[tuple[str, str], list[int]] = {}
    for at, row in enumerate(rows):
        if row.count:
            series.setdefault((row.arm.series, row.method), []).append(at)
    for (model, method), places in series.items():
        budgets = np.array([rows[at].count for at in places])
        if len(set(budgets)) < max(len(budgets), FEWEST) or best is None:
            continue
        fitted = fit_curves(budgets, found[None, places])
        spread = crossings(fit_curves(budgets, drawn[:, places]), drawn[:, best])
        low, high = np.percentile(spread, _ENDS, method="closest_observation")
        yield {
            "model": model,
            "method": method,
            "reference": f"{rows[best].method} on {rows[best].arm.series}",
            "reference_value": sign * found[best],
            "ceiling": sign * fitted.ceiling[0],
            "scale": sign * fitted.scale[0],
            "power": fitted.power[0],
            "fewest": budgets.min(),
            "most": budgets.max(),
            "overtakes_at": crossings(fitted, found[[best]])[0],
            "overtakes_low": low,
            "overtakes_high": high,
            **_hold_out(budgets, found[places], drawn[:, places]),
        }


def _hold_out(budgets: Floats, found: Floats, drawn: Floats) -> dict[str, float]:
    """Predict each budget from the others: how many rightly, and by how much it is missed.

    Right is where the 95 % interval of what is missed holds 0.
    """
    errors, right = [], 0
    for at, budget in enumerate(budgets) if len(budgets) > FEWEST else ():
        others = np.arange(len(budgets)) != at
        errors.append(abs(_missed(budgets[others], found[None, others], budget, found[[at]])[0]))
        missed = _missed(budgets[others], drawn[:, others], budget, drawn[:, at])
        low, high = np.percentile(missed, _ENDS)
        right += bool(low <= 0 <= high)
    error = float(np.mean(errors)) if errors else np.nan
    return {"held_out": len(errors), "held_in": right, "held_error": error}


def _missed(budgets: Floats, scores: Floats, budget: float, measured: Floats) -> Floats:
    curves: Curves = fit_curves(budgets, scores)
    return np.asarray(curves.at(budget) - measured)
