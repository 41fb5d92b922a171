"""How alike a row's maps are after other trainings, as the run has measured it."""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from xaibench.results.tables import ALL_PAIRS, LIKENESS, REPRODUCIBILITY
from xaibench.stats.rounding import rounded_table

KEYS = ["dataset", "split", "model", "method"]


def nothing_measured() -> pd.DataFrame:
    """Return the table of a run that has one training of each model, or no maps."""
    return pd.DataFrame(columns=REPRODUCIBILITY)


def rank_correlations(table: pd.DataFrame) -> Mapping[tuple[str, ...], float]:
    """Return each row's mean rank correlation between all trainings, by `KEYS`."""
    lines: list[dict[str, Any]] = [
        {str(name): value for name, value in line.items()}
        for line in rounded_table(table[table["between"] == ALL_PAIRS]).to_dict("records")
    ]
    return {tuple(str(line[key]) for key in KEYS): float(line[LIKENESS[0]]) for line in lines}


def of_single_runs(tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Put runs' tables together, without rows that several of them have.

    Their trainings were compared within each run alone, which says nothing of all together.
    """
    told = [table for table in tables if len(table)]
    if not told:
        return nothing_measured()
    return pd.concat(told, ignore_index=True).drop_duplicates([*KEYS, "between"], keep=False)
