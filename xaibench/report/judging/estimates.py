"""The board as data: rows with one estimate for each metric, and the table that they make."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd

from xaibench.core.supervision import in_words
from xaibench.report.facts.dataset_names import section_title
from xaibench.report.facts.dependence import smaller_change
from xaibench.report.facts.section import ROW, SECTION
from xaibench.results.records import RunRecord
from xaibench.results.tables import COSTS, DEPENDENCE, GAP

_OWN = (*SECTION, *ROW, "kind", "supervision", "mask_budget")

_REACH = ("ceiling", "floor", "reached")
BESIDE = (
    "noninferiority_p",
    "equivalence_p",
    "noninferiority_p_training_sets",
    "equivalence_p_training_sets",
)


@dataclass(frozen=True)
class Estimate:
    """What one row scores by one metric; NaN is what is undefined or makes no sense.

    ``value`` is the mean over ``n`` defined maps of ``groups`` independent images; ``undefined``
    counts the others. ``low`` and ``high`` are the ends of its 95 % interval, ``ties`` its letters,
    which generalize to new test images (and new trainings on the same training sets);
    ``_training_sets`` are those that generalize to new training sets, too. ``ceiling`` is what the
    truth scores on the row's grid, ``floor`` the best blind control, and ``reached`` the share of
    the way between them; runs of before have none. ``noninferiority_p`` and ``equivalence_p`` are
    those of the primary metric, against the leader, where a margin was declared.
    """

    value: float
    n: int
    undefined: int
    groups: int
    higher_is_better: bool
    low: float
    high: float
    ties: str
    rank_low: float
    rank_high: float
    skill: float
    low_training_sets: float = np.nan
    high_training_sets: float = np.nan
    ties_training_sets: str = ""
    ceiling: float = np.nan
    floor: float = np.nan
    reached: float = np.nan
    noninferiority_p: float = np.nan
    equivalence_p: float = np.nan
    noninferiority_p_training_sets: float = np.nan
    equivalence_p_training_sets: float = np.nan

    @property
    def maps(self) -> int:
        """Those that the metric was asked for."""
        return self.n + self.undefined


@dataclass(frozen=True)
class BoardRow:
    """A row of the board.

    ``kind`` is ``method``, ``learned`` or ``control``; ``supervision`` is what the method or its
    network learned from (``none``, ``labels``, ``boxes``, ``masks``; empty where nobody says), and
    ``mask_budget`` the share of training masks or boxes in it, else NaN. ``costs`` are of a map, by
    the columns of ``costs.csv``. ``changes`` says how much maps change with the decision, by the
    columns there. ``reproducibility`` is the mean rank correlation of the maps of one image that
    different trainings give, NaN with a single training. ``model`` is empty for a control that
    scores the same beside each.
    """

    dataset: str
    split: str
    model: str
    method: str
    kind: str
    supervision: str
    mask_budget: float
    estimates: Mapping[str, Estimate]
    costs: Mapping[str, float]
    degenerate_maps: int
    changes: Mapping[str, float] = field(default_factory=dict)
    reproducibility: float = np.nan

    @property
    def section(self) -> str:
        """Dataset and split, by which rows belong together."""
        return f"{self.dataset}, {self.split}"

    @property
    def title(self) -> str:
        """Dataset and split, as headings name them."""
        return section_title(self.dataset, self.split)

    @property
    def learned_from(self) -> str:
        """Its supervision in words."""
        return in_words(self.supervision, self.mask_budget) if self.supervision else "not declared"

    def value(self, metric: str) -> float:
        """Return the mean of a metric."""
        return self.estimates[metric].value

    def cost(self, name: str) -> float:
        """Return what a map costs, NaN where nobody measured."""
        return float(self.costs.get(name, np.nan))

    @property
    def dependence(self) -> float:
        """The smaller of both changes, in [0, 2]; NaN where one is undefined or unknown."""
        return smaller_change(self.changes)


def by_section(rows: Sequence[BoardRow]) -> Iterator[tuple[str, list[BoardRow]]]:
    """Yield the title of each dataset and split, with its rows."""
    for _, found in groupby(rows, lambda row: row.section):
        first, *others = found
        yield first.title, [first, *others]


def to_frame(rows: Sequence[BoardRow], protocol: str) -> pd.DataFrame:
    """Return ``leaderboard.csv``: a line for each row.

    Columns: the fields of `BoardRow`; for each metric ``<metric>`` and ``<metric>_<field>`` of
    `Estimate`, where ``_better`` says ``higher`` or ``lower``; ``dependence`` and the two changes
    that it is the smaller of; ``reproducibility`` where any row has it; costs; ``protocol``.
    """
    repeated = not all(np.isnan(row.reproducibility) for row in rows)
    lines = [
        {name: getattr(row, name) for name in _OWN}
        | {
            column: value
            for metric, estimate in row.estimates.items()
            for column, value in _columns(metric, estimate)
        }
        | {"dependence": row.dependence}
        | {name: row.changes.get(name, np.nan) for name in DEPENDENCE}
        | ({"reproducibility": row.reproducibility} if repeated else {})
        | {**row.costs, "degenerate_maps": row.degenerate_maps, "protocol": protocol}
        for row in rows
    ]
    return pd.DataFrame(lines) if lines else pd.DataFrame(columns=[*SECTION, *ROW])


def from_frame(board: pd.DataFrame, run: RunRecord) -> list[BoardRow]:
    """Return the rows of `to_frame`, or of some of its lines."""
    return [
        BoardRow(
            **{name: line[name] for name in _OWN},
            estimates={
                metric: _estimate(metric, line, higher_is_better=about.higher_is_better)
                for metric, about in run.metrics.items()
                if metric in line
            },
            costs={name: line[name] for name in (*COSTS, GAP) if name in line},
            degenerate_maps=line["degenerate_maps"],
            changes={name: line[name] for name in DEPENDENCE if name in line},
        )
        for line in board.to_dict("records")
    ]


def _columns(metric: str, estimate: Estimate) -> Iterator[tuple[str, Any]]:
    known = not np.isnan(estimate.low_training_sets)
    for name, value in asdict(estimate).items():
        if name.endswith("_training_sets") and not known:
            continue
        if name == "value":
            yield metric, value
        elif name in (*_REACH, *BESIDE) and np.isnan(value):
            continue
        elif name == "higher_is_better":
            yield f"{metric}_better", "higher" if value else "lower"
        else:
            yield f"{metric}_{name}", value


def _estimate(metric: str, line: Mapping[Any, Any], *, higher_is_better: bool) -> Estimate:
    names = [each.name for each in fields(Estimate)[1:] if each.name != "higher_is_better"]
    told = {name: line[f"{metric}_{name}"] for name in names if f"{metric}_{name}" in line}
    return Estimate(value=line[metric], higher_is_better=higher_is_better, **told)
