"""What a diagnosis says: one row for each model, method and stage."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from xaibench.stats.rounding import rounded_table

PASS, FAIL, UNDECIDED = "pass", "fail", "undecided"


@dataclass(frozen=True)
class Finding:
    """One row. Its verdict is empty where a stage only shows the way to the last one.

    Attributes:
        diagnostic: which question was asked.
        model: canonical name.
        method: canonical name, or ``all`` where methods are judged together.
        stage: what was done to the model or to the images.
        n: images that it rests on.
        values: figures by name.
        verdict: ``pass``, ``fail``, ``undecided`` or empty.
        why: one sentence with the figures that decided.
    """

    diagnostic: str
    model: str
    method: str
    stage: str
    n: int
    values: Mapping[str, float | str] = field(default_factory=dict)
    verdict: str = ""
    why: str = ""


def tabulate(findings: Sequence[Finding]) -> pd.DataFrame:
    """Return the rows with a column for each figure, `rounded`; what isn't told is empty."""
    rows = [
        {
            "diagnostic": each.diagnostic,
            "model": each.model,
            "method": each.method,
            "stage": each.stage,
            "n": each.n,
            **each.values,
            "verdict": each.verdict,
            "why": each.why,
        }
        for each in findings
    ]
    frame = pd.DataFrame(rows)
    last = ["verdict", "why"]
    return rounded_table(frame[[column for column in frame if column not in last] + last])
