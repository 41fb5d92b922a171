"""Analyses for people: a table for each, what its numbers mean, and its figures."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd

from xaibench.core.csv_cells import restore
from xaibench.core.markdown import markdown_table, plain
from xaibench.report.facts.material import PLACE
from xaibench.report.judging.analyses import ALL, Analysis, first_trained
from xaibench.report.numbers import number, p_text, span
from xaibench.report.wording.markdown import bullets
from xaibench.results.folder import ANALYSES_FILE, Place


def analyses_to_markdown(
    analyses: Sequence[Analysis], table: pd.DataFrame, out: Path
) -> Iterator[str]:
    """Yield Markdown paragraphs.

    Args:
        analyses: from `read_analyses`.
        table: from `quantities`, of these analyses.
        out: the folder of the document, from which figures are linked.
    """
    if not analyses:
        return
    yield "## Analyses"
    yield (
        "In each cell: the value and its 95 % interval, where it is made from single test images "
        "(Wilson's where all images are independent, else bootstrapped over groups). p is of the "
        "difference, by McNemar's exact test or by groups; where it and the interval disagree, go "
        "by p. All numbers, with n, are in analyses.csv."
    )
    keys = ["model", *(key for key in PLACE if key != "model" and table[key].nunique() > 1)]
    by_name = sorted(analyses, key=lambda each: each.about.analysis)
    for name, found in groupby(by_name, key=lambda each: each.about.analysis):
        alike = list(found)
        yield f"### {plain(name)}"
        yield _table(table[table["analysis"] == name], keys)
        yield bullets([f"{key}: {text}" for key, text in alike[0].about.meanings.items()])
        notes = [f"{each.place.title}: {note}" for each in alike for note in each.about.notes]
        if notes:
            yield bullets(notes)
        for each in first_trained(alike):
            yield from _figures(each, out)


def analysis_lines(out: Path) -> Iterator[str]:
    """Yield what a folder's ``analyses.csv`` says, a line for each model and analysis."""
    path = out / ANALYSES_FILE
    if not path.is_file():
        return
    table = restore(pd.read_csv(path))
    for key, own in table.groupby([*PLACE, "analysis"], sort=False):
        *names, name = cast(tuple[Any, ...], key)
        cells = ", ".join(f"{row.quantity} {_cell(row)}" for row in own.itertuples())
        place = Place(*names)
        title = f"{place.model}, all folds and seeds" if ALL in names else place.title
        yield f"{title}: {name}: {cells}"


def _table(rows: pd.DataFrame, keys: list[str]) -> str:
    names = list(dict.fromkeys(rows["quantity"]))
    lines = []
    for _, own in rows.groupby(PLACE, sort=False):
        cells = {row.quantity: _cell(row) for row in own.itertuples()}
        lines.append([*own.iloc[0][keys].astype(str), *(cells.get(name, "") for name in names)])
    return markdown_table([*keys, *names], lines)


def _cell(row: object) -> str:
    value, low, high, p = (float(getattr(row, name)) for name in ("value", "low", "high", "p"))
    said = "" if np.isnan(p) else p_text(p)
    return " ".join(part for part in (number(value), span(low, high), said) if part)


def _figures(analysis: Analysis, out: Path) -> Iterator[str]:
    for figure in analysis.about.figures:
        # Specs hold brackets and spaces, which Markdown takes for its own.
        path = (analysis.folder / f"{figure.name}.png").relative_to(out).as_posix()
        title = plain(f"{figure.title}; {analysis.place.title}").replace("]", "\\]")
        yield f"![{title}](<{path}>)"
