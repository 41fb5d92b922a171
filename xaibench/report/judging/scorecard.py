"""The scorecard: what is known of each row on five sides, and the scores that say so."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from xaibench.core.fingerprints import fingerprint
from xaibench.report.facts.section import Section
from xaibench.report.facts.traits import metrics_of, primary_metric
from xaibench.report.judging.estimates import BoardRow
from xaibench.results.records import RunRecord
from xaibench.results.tables import COSTS

SIDES = ("consistency", "plausibility", "fidelity", "dependence", "cost")
COLUMNS = [
    *("dataset", "split", "model", "method"),
    *(f"{side}{part}" for side in SIDES for part in ("", "_low", "_high", "_of", "_from")),
]
_DIGITS = 12


def scorecard(section: Section, run: RunRecord, board: Sequence[BoardRow]) -> pd.DataFrame:
    """Return a line for each row that competes.

    ``plausibility`` is the primary metric, or the first of localization; ``fidelity`` the first of
    faithfulness; ``consistency`` how alike maps of one image are under other trainings;
    ``dependence`` whether maps depend on the decision; ``cost`` seconds for a map. Of each ``_of``
    names the metric, and ``_from`` the scores: how many, and a hash of them. Metrics that maps
    without a network win count for nothing. What nobody measured is NaN or empty.
    """
    metrics = _metrics(run)
    lines = [
        {
            "dataset": row.dataset,
            "split": row.split,
            "model": row.model,
            "method": row.method,
            **{
                name: value
                for side, metric in metrics.items()
                for name, value in _measured(section, row, side, metric).items()
            },
            **_known(row, "consistency", "reproducibility", row.reproducibility),
            **_known(row, "dependence", "dependence", row.dependence),
            "cost": row.cost(COSTS[0]),
            "cost_of": COSTS[0],
            "cost_from": f"costs.csv: {row.method} on {row.model}",
        }
        for row in board
        if row.kind != "control"
    ]
    return pd.DataFrame(lines).reindex(columns=COLUMNS)


def _metrics(run: RunRecord) -> Mapping[str, str]:
    primary = primary_metric(run)
    found = {}
    for side, family in (("plausibility", "localization"), ("fidelity", "faithfulness")):
        names = [m for m in metrics_of(run, family, ranked=True) if m not in (run.won or {})]
        if names:
            found[side] = str(primary) if primary in names else names[0]
    return found


def _measured(section: Section, row: BoardRow, side: str, metric: str) -> dict[str, object]:
    estimate = row.estimates[metric]
    places = [at for at, each in enumerate(section.rows) if each[:2] == (row.model, row.method)]
    values = section.values[metric][:, places[0]]
    known = values[~np.isnan(values)]
    content = fingerprint([repr(float(value)) for value in known])[:_DIGITS]
    return {
        side: estimate.value,
        f"{side}_low": estimate.low,
        f"{side}_high": estimate.high,
        f"{side}_of": metric,
        f"{side}_from": f"scores.csv: {metric} of {row.method} on {row.model}, "
        f"{len(known)} values, hash {content}",
    }


def _known(row: BoardRow, side: str, column: str, value: float) -> dict[str, object]:
    """Return a side that is no metric but a column of the board; nothing where it is unknown."""
    if np.isnan(value):
        return {}
    return {
        side: value,
        f"{side}_of": column,
        f"{side}_from": f"leaderboard.csv: {row.method} on {row.model}",
    }
