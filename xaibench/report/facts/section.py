"""Scores of one dataset and split as tables: a line for each map, a column for each row."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xaibench.core.errors import XaibenchError
from xaibench.core.maps import CONSTANT, NON_FINITE
from xaibench.report.facts.dataset_names import section_title
from xaibench.report.facts.material import UNIT, Material
from xaibench.report.facts.traits import headlines
from xaibench.stats.clusters import Codes, count_groups, merge_folds, number
from xaibench.stats.rounding import rounded
from xaibench.stats.training_sets import TrainingSets, training_sets

Floats = NDArray[np.float64]
Labels = tuple[Codes, Codes, Codes]
SECTION = ["dataset", "split"]
ROW = ["model", "method"]
_DEGENERATE = f"{CONSTANT}|{NON_FINITE}"
_TEXTS = {*ROW, "sample"}


class Row(NamedTuple):
    """A line of the board.

    ``kind`` is ``method``, ``learned`` or ``control``; ``degenerate`` counts its maps that are
    constant or not finite.
    """

    model: str
    method: str
    kind: str
    degenerate: int = 0

    @property
    def competes(self) -> bool:
        """Controls only bound the board."""
        return self.kind != "control"


@dataclass(frozen=True)
class Section:
    """Aligned scores.

    ``units`` has a line for each (fold, seed, sample) with its ``group``, N in all. ``values`` and
    ``present`` hold for each metric ``(N, M)``: the score, NaN where undefined or absent, and
    whether the scores name it at all.
    """

    dataset: str
    split: str
    rows: Sequence[Row]
    units: pd.DataFrame
    values: dict[str, Floats]
    present: dict[str, NDArray[np.bool_]]

    @property
    def title(self) -> str:
        """Dataset and split, as headings name them."""
        return section_title(self.dataset, self.split)

    @property
    def ranked(self) -> list[int]:
        """Places of the rows that compete, in the board's order."""
        return [place for place, row in enumerate(self.rows) if row.competes]

    @cached_property
    def clusters(self) -> Labels:
        """Groups, folds and seeds, ``(N,)`` each: numbers, which compare fast."""
        fold, seed = merge_folds(*(self.units[name] for name in ("sample", "fold", "seed")))
        return number(self.units["group"]), fold, seed

    @cached_property
    def training_sets(self) -> TrainingSets | None:
        """What distinguishes training sets, by the folds as they were made."""
        return training_sets(*(self.units[name] for name in ("sample", "fold", "seed")))

    def whole(self, metric: str) -> NDArray[np.bool_]:
        """Tell which rows lack no image that another one that competes has: only they may lead."""
        count = (~np.isnan(self.values[metric])).sum(axis=0)
        return np.asarray(count == max((count[place] for place in self.ranked), default=0))

    def count_groups(self, values: Floats) -> NDArray[np.int64]:
        """Count the independent groups that each column of ``(N, M)`` is defined for, ``(M,)``."""
        return count_groups(values, self.clusters[0])


def sections(material: Material) -> Iterator[Section]:
    """Yield a section for each dataset and split.

    Rows are aligned by fold, seed and sample, so that a map that is missing for one image shifts no
    other. The best by the first ranked metric are first, controls behind all others.

    Raises:
        XaibenchError: a method is unknown to the run, or a value is there twice.
    """
    for (dataset, split), scores in material.scores.groupby(SECTION, sort=True, observed=True):
        yield _section(str(dataset), str(split), scores, material)


def mean(values: Floats) -> Floats:
    """Return means of columns over defined values, NaN without any; they are `rounded`."""
    count = (~np.isnan(values)).sum(axis=0)
    total, size = np.nansum(values, axis=0), np.nansum(np.abs(values), axis=0)
    known = np.where(count > 0, count, np.nan)
    return rounded(total / known, np.nan_to_num(size / known))


def _section(dataset: str, split: str, scores: pd.DataFrame, material: Material) -> Section:
    run = material.run
    unit, units = _number(scores, UNIT)
    place, pairs = _number(scores, ROW)
    said = scores["status"].astype("category").cat
    degenerate = said.categories.astype(str).str.contains(_DEGENERATE)
    odd = np.append(degenerate, False)[said.codes]  # of no status the code is -1
    # Each map once for all metrics.
    maps = np.unique(np.stack([place[odd], unit[odd]]), axis=1)
    counts = np.bincount(maps[0], minlength=len(pairs)).tolist()
    rows = [
        Row(model, method, run.kind_of(method), count)
        for (model, method), count in zip(pairs.to_numpy(), counts, strict=True)
    ]
    units["group"] = [
        # Nothing that a file can hold is taken for a sample's own group.
        material.groups.get((dataset, sample), f"\0{sample}")
        for sample in units["sample"]
    ]
    value = pd.to_numeric(scores["value"]).to_numpy(float)
    value = np.where(np.isfinite(value), value, np.nan)
    values, present = {}, {}
    for metric in run.metrics:
        chosen = (scores["metric"] == metric).to_numpy()
        where = unit[chosen], place[chosen]
        values[metric] = np.full((len(units), len(rows)), np.nan)
        values[metric][where] = value[chosen]
        present[metric] = np.zeros(values[metric].shape, bool)
        present[metric][where] = True
        if present[metric].sum() < chosen.sum():
            raise XaibenchError(
                f"scores.csv: some {metric} of {dataset}, {split} are there twice; delete the "
                "file and finish the run (the same command)."
            )
    order = _order(rows, values, material)
    return Section(
        dataset,
        split,
        [rows[at] for at in order],
        units,
        {metric: table[:, order] for metric, table in values.items()},
        {metric: table[:, order] for metric, table in present.items()},
    )


def _number(scores: pd.DataFrame, keys: list[str]) -> tuple[NDArray[np.intp], pd.DataFrame]:
    """Number distinct keys in their sorted order; return each line's number, and the keys."""
    groups = scores.groupby(keys, sort=True, dropna=False, observed=True)
    names = groups.size().reset_index()[keys]
    return np.asarray(groups.ngroup(), np.intp), names.astype(dict.fromkeys(_TEXTS & {*keys}, str))


def _order(rows: list[Row], values: dict[str, Floats], material: Material) -> list[int]:
    cost = np.zeros(len(rows))
    if first := headlines(material.run)[:1]:
        cost = -material.run.metrics[first[0]].sign * mean(values[first[0]])
    cost = np.where(np.isnan(cost), np.inf, cost)
    return sorted(
        range(len(rows)),
        key=lambda at: (not rows[at].competes, cost[at], rows[at].method, rows[at].model),
    )
