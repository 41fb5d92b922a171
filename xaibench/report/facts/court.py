"""How metrics came out of court: whether they rank maps by what a network is known to use."""

import csv
from collections.abc import Mapping
from functools import cache
from pathlib import Path

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
    with _TABLE.open(newline="", encoding="utf-8") as file:
        return {line["metric"]: _verdict(line) for line in csv.DictReader(file)}


def _verdict(line: Mapping[str, str]) -> str:
    figures = ", ".join(f"{rule} {float(line[rule] or 'nan'):.2f}" for rule in _RULES)
    return f"{line['verdict']} ({figures}; {float(line['same_verdict']):.0%} of draws agree)"
