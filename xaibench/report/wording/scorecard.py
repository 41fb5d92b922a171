"""``scorecard.md``: each row on five sides, and where every number comes from."""

from collections.abc import Iterator, Sequence

import pandas as pd

from xaibench.core.markdown import markdown_table, plain
from xaibench.report.facts.dataset_names import dataset_name
from xaibench.report.judging.scorecard import SIDES
from xaibench.report.numbers import NONE, with_interval
from xaibench.report.wording.markdown import bullets
from xaibench.results.records import RunRecord

ABOUT = (
    "Consistency: how alike the maps of one image are under other seeds and folds. Plausibility: "
    "agreement with what people marked. Fidelity: whether the marked pixels matter to the network. "
    "Dependence: whether the maps depend on the decision that they explain. Cost: seconds for a "
    f"map. {NONE}: nobody has measured it. No sum is made of them: which side counts is for the "
    "reader to say."
)


def scorecard_to_markdown(tables: Sequence[pd.DataFrame], run: RunRecord) -> str:
    """Write the whole document."""
    lines = [
        f"# Scorecard: {plain(dataset_name(run.dataset))}",
        f"Protocol `{plain(run.protocol_hash)}`.",
        ABOUT,
    ]
    for table in tables:
        if len(table):
            first = table.iloc[0]
            lines += [f"## {plain(first['dataset'])}, {plain(first['split'])}", card(table)]
            lines += ["### Where it comes from", bullets(list(_sources(table)))]
    return "\n\n".join(lines) + "\n"


def card(table: pd.DataFrame) -> str:
    """Write one section's table."""
    known = [side for side in SIDES if table[side].notna().any()]
    heads = [f"{side} ({table[f'{side}_of'].dropna().iloc[0]})" for side in known]
    left = [side for side in SIDES if side not in known]
    rows = [
        [line["method"], line["model"], *(_cell(line, side) for side in known), *[NONE] * len(left)]
        for line in table.to_dict("records")
    ]
    return markdown_table(["method", "model", *heads, *left], rows)


def _cell(line: dict[object, object], side: str) -> str:
    value = line[side]
    if isinstance(value, str):
        return value
    low, high = (float(str(line[f"{side}_{end}"])) for end in ("low", "high"))
    return with_interval(float(str(value)), low, high)


def _sources(table: pd.DataFrame) -> Iterator[str]:
    for line in table.to_dict("records"):
        for side in SIDES:
            if isinstance(source := line[f"{side}_from"], str) and not pd.isna(line[side]):
                yield f"{side} of {line['method']} on {line['model']}: {source}"
