"""How much a row's maps change with the decision: with the class, and with random last layers."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from xaibench.report.facts.section import ROW, SECTION
from xaibench.results.tables import DEPENDENCE
from xaibench.stats.rounding import rounded_table

KEYS = [*SECTION, *ROW]
INDEPENDENT = 0.05
"""Below this the two maps put the pixels into the same order, but for details nobody sees."""


def changes_by_row(costs: pd.DataFrame) -> dict[tuple[str, ...], dict[str, float]]:
    """Return both changes by dataset, split, model and method: means over folds and seeds, rounded.

    Empty for runs of earlier versions, which measured none.
    """
    names = [name for name in DEPENDENCE if name in costs]
    if not names:
        return {}
    means = rounded_table(costs.groupby(KEYS, as_index=False)[names].mean())
    return {
        tuple(str(line[key]) for key in KEYS): {name: float(line[name]) for name in names}
        for line in means.to_dict("records")
    }


def smaller_change(changes: Mapping[str, float]) -> float:
    """Return a map's dependence on the decision: the smaller of its changes, NaN without both."""
    return float(np.min([changes.get(name, np.nan) for name in DEPENDENCE]))
