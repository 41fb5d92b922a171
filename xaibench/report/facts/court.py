"""How metrics came out of court: whether they rank maps by what a network is known to use."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pandas as pd

_TABLE = Path(__file__).parent / "court.csv"  # made by `xaibench court` (docs/court.md)
_RULES = ("lesion", "shortcut", "both", "neither")


def in_court(metric: str) -> str:
    """Return a metric's verdict and the figures behind it; empty for one that was never tried.

    Args:
        metric: its name, as in ``run.json``; options make another metric of it.
    """
    return _verdicts().get(metric, "")


@cache
def _verdicts() -> Mapping[str, str]:
    table = pd.read_csv(_TABLE)
    return {
        str(
            line["metric"]
        ): f"{line['verdict']} ({', '.join(f'{r} {line[r]:.2f}' for r in _RULES)})"
        for line in table.to_dict("records")
    }
