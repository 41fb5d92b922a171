"""The board in numbers: a row for each (dataset, split, model, method)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from xaibench.report.facts.dependence import KEYS, changes_by_row
from xaibench.report.facts.material import Material
from xaibench.report.facts.reproducibility import rank_correlations
from xaibench.report.facts.section import Section
from xaibench.report.facts.supervision import supervision_of
from xaibench.report.facts.traits import primary_metric
from xaibench.report.judging.estimates import BESIDE, BoardRow, Estimate
from xaibench.report.judging.judge import Judged
from xaibench.report.judging.noninferior import beside_leader
from xaibench.report.judging.reach import reach
from xaibench.results.records import RunRecord
from xaibench.results.tables import COSTS, GAP
from xaibench.stats.rounding import rounded, rounded_table


def leaderboard(
    material: Material, judged: Sequence[tuple[Section, Mapping[str, Judged]]]
) -> list[BoardRow]:
    """Return one row for each (dataset, split, model, method), over samples, folds and seeds.

    Args:
        material: scores, ``run.json`` and the rest.
        judged: its sections, each with what `judge` says.

    Returns:
        Rows in the order of the sections' own; their numbers are `rounded`.
    """
    keys = [
        (section.dataset, section.split, row.model, row.method)
        for section, _ in judged
        for row in section.rows
    ]
    costs, known = iter(_costs(keys, material.costs)), changes_by_row(material.costs)
    changes = iter([known.get(key, {}) for key in keys])
    alike = rank_correlations(material.reproducibility)
    rows = [
        row for section, found in judged for row in _rows(section, found, material, costs, changes)
    ]
    return [
        replace(row, reproducibility=alike.get(key, np.nan))
        for key, row in zip(keys, rows, strict=True)
    ]


def _rows(
    section: Section,
    judged: Mapping[str, Judged],
    material: Material,
    costs: Iterator[Mapping[str, float]],
    changes: Iterator[Mapping[str, float]],
) -> Iterator[BoardRow]:
    run, pairs = material.run, [(row.model, row.method) for row in section.rows]
    learned = supervision_of(run, section.dataset, pairs)
    columns = {metric: _estimates(section, run, found, metric) for metric, found in judged.items()}
    if beside := beside_leader(section, run, judged):
        tested = zip(*(rounded(column).tolist() for column in beside), strict=True)
        primary = str(primary_metric(run))
        columns[primary] = [
            replace(estimate, **dict(zip(BESIDE, p, strict=True)))
            for estimate, p in zip(columns[primary], tested, strict=True)
        ]
    for place, (row, known) in enumerate(zip(section.rows, learned, strict=True)):
        yield BoardRow(
            dataset=section.dataset,
            split=section.split,
            model=row.model,
            method=row.method,
            kind=row.kind,
            supervision=known.kind if known else "",
            mask_budget=float(rounded(known.share)) if known and known.localizes else np.nan,
            estimates={metric: column[place] for metric, column in columns.items()},
            costs=next(costs),
            degenerate_maps=row.degenerate,
            changes=next(changes),
        )


def _estimates(section: Section, run: RunRecord, found: Judged, metric: str) -> list[Estimate]:
    """Return one metric's estimates, in the order of the section's rows."""
    values, present = section.values[metric], section.present[metric]
    defined = (~np.isnan(values)).sum(axis=0)
    ranks = np.where(found.ranks > 0, found.ranks, np.nan)
    nothing, better = np.full(len(section.rows), np.nan), run.metrics[metric].higher_is_better
    anew, bounds = found.over_sets, reach(section, run, metric, found.mean)
    columns = (
        *(rounded(found.mean), defined, present.sum(axis=0) - defined),
        *(section.count_groups(values), np.full(len(section.rows), better)),
        *(rounded(found.low), rounded(found.high), np.array(found.ties, object)),
        *(ranks[:, 0], ranks[:, 1], rounded(found.skill)),
        *(rounded(anew.low) if anew else nothing, rounded(anew.high) if anew else nothing),
        np.array(anew.ties if anew else [""] * len(section.rows), object),
        *(rounded(bounds.ceiling), rounded(bounds.floor), rounded(bounds.share)),
    )
    lists: list[list[Any]] = [column.tolist() for column in columns]
    return [Estimate(*fields) for fields in zip(*lists, strict=True)]


def _costs(keys: Sequence[tuple[str, ...]], costs: pd.DataFrame) -> list[dict[str, float]]:
    """Return each row's mean seconds and forwards, and its most memory, over folds and seeds.

    The largest gap of a promised sum, too: runs of earlier versions measured none.
    """
    if not keys:  # a run of analyses alone
        return []
    grouped = costs.groupby(KEYS)
    names = [*COSTS, GAP] if GAP in costs else COSTS
    found = pd.DataFrame(
        {name: grouped[name].agg("mean" if name in COSTS[:2] else "max") for name in names}
    )
    wanted = found.reindex(pd.MultiIndex.from_tuples(keys, names=KEYS))
    return [
        {str(name): cost for name, cost in line.items()}
        for line in rounded_table(wanted).to_dict("records")
    ]
