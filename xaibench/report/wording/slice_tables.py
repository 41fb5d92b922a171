"""Slices for people: a table for each slice, a column for each part that is large enough."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from xaibench.core.markdown import markdown_table
from xaibench.report.facts.section import ROW
from xaibench.report.facts.traits import header, headlines
from xaibench.report.judging.slices import FEWEST_GROUPS
from xaibench.report.numbers import NONE, with_interval
from xaibench.report.wording.markdown import bullets
from xaibench.results.records import RunRecord


def slices_to_markdown(found: pd.DataFrame, run: RunRecord) -> Iterator[str]:
    """Yield Markdown paragraphs for one dataset and split, by the first metric of each family.

    Controls are left to ``slices.csv``.

    Args:
        found: rows of `slices`.
        run: ``run.json``.
    """
    chosen = found[found["metric"].isin(headlines(run)) & (found["kind"] != "control")]
    for name, rows in chosen.groupby("slice", sort=False):
        tables = [
            text
            for metric in headlines(run)
            if (text := _table(rows[rows["metric"] == metric], run, metric))
        ]
        if tables:
            yield f"#### By {name}"
            if lines := _bounds(rows):
                yield bullets(lines)
            yield from tables
        else:
            yield f"Not by {name}: no part has {FEWEST_GROUPS} independent images."


def _bounds(rows: pd.DataFrame) -> list[str]:
    lines = []
    for part, own in rows.groupby("part", sort=False):
        most = own["groups"].max()
        said = [own["bounds"].iloc[0]] if own["bounds"].iloc[0] else []
        if most < FEWEST_GROUPS:
            said.append(f"left out, {most} independent images are fewer than {FEWEST_GROUPS}")
        lines += [f"{part}: {'; '.join(said)}"] if said else []
    return lines


def _table(rows: pd.DataFrame, run: RunRecord, metric: str) -> str:
    """Write value, interval and n of each row on each part; empty where none is large enough."""
    shown = rows[rows.groupby("part")["value"].transform(lambda part: part.notna().any())]
    if shown.empty:
        return ""
    names = list(dict.fromkeys(shown["part"]))
    cells: dict[tuple[str, ...], dict[str, str]] = {}
    for row in shown.to_dict("records"):
        cells.setdefault(tuple(row[name] for name in ROW), {})[row["part"]] = _cell(row)
    lines = [
        [method, model, *(found.get(part, NONE) for part in names)]
        for (model, method), found in cells.items()
    ]
    title = header(run, metric)
    return markdown_table(["method", "model", *(f"{title}, {part}" for part in names)], lines)


def _cell(row: dict[Any, Any]) -> str:
    value = with_interval(row["value"], row["low"], row["high"])
    return f"{value} (n {row['n']})"
