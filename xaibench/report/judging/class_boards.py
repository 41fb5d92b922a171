"""A board of each class, where images may show several."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from xaibench.report.facts.section import ROW
from xaibench.report.judging.estimates import BoardRow, Estimate
from xaibench.results.records import RunRecord


@dataclass(frozen=True)
class ClassBoard:
    """The board of one class: ``rows`` as those of the whole, with what they score on it.

    ``images`` counts the independent images that the metric with most of them is defined for.
    """

    name: str
    images: int
    rows: Sequence[BoardRow]


def class_boards(
    board: Sequence[BoardRow], slices: pd.DataFrame, run: RunRecord
) -> list[ClassBoard]:
    """Return a board for each class with a mean, in the order of the dataset's classes.

    Nothing is tested within classes, so that their rows have no letters and no ranks.

    Args:
        board: of one dataset and split.
        slices: its own, from `slices`.
        run: ``run.json``; without several labels an image there is none.
    """
    if not run.several_labels or slices.empty:
        return []
    found = slices[slices["slice"] == "class"]
    boards = []
    for name, own in found.groupby("part", sort=False):
        if own["value"].isna().all():
            continue
        lines = dict(iter(own.groupby(ROW, sort=False)))
        rows = [
            replace(row, estimates=_estimates(lines[row.model, row.method], run))
            for row in board
            if (row.model, row.method) in lines
        ]
        boards.append(ClassBoard(str(name), int(own["groups"].max()), rows))
    return boards


def _estimates(lines: pd.DataFrame, run: RunRecord) -> Mapping[str, Estimate]:
    """Return a row's estimates by metric; pooled ones have none on a part of the images."""
    known = {str(line["metric"]): line for line in lines.to_dict("records")}
    return {
        metric: _estimate(known.get(metric, {}), higher_is_better=about.higher_is_better)
        for metric, about in run.metrics.items()
    }


def _estimate(line: Mapping[Any, Any], *, higher_is_better: bool) -> Estimate:
    value, low, high = (float(line.get(name, np.nan)) for name in ("value", "low", "high"))
    n, undefined, groups = (int(line.get(name, 0)) for name in ("n", "undefined", "groups"))
    nothing = np.nan
    return Estimate(
        value, n, undefined, groups, higher_is_better, low, high, "", nothing, nothing, nothing
    )
