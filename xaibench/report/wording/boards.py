"""The board for people: tables of finished cells, which Markdown, LaTeX and terminal then print."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from xaibench.core.tables import COSTS
from xaibench.report.facts.traits import FAMILIES, Run, header, is_blind, metrics_of, sign
from xaibench.report.numbers import NONE, number, span

_WIDEST = 4  # metrics side by side
_TINY, _FINE = 1e-6, 0.01
_LARGE = 1000
_MOST_LETTERS = 4
TIED = "="
_COST_HEADERS = ("s per image", "forwards per image", "peak MB")


class Cell(NamedTuple):
    """One cell: a value, or plain text, and what stands behind it."""

    text: str
    bold: bool = False
    interval: str = ""
    ties: str = ""
    undefined: int = 0


class Board(NamedTuple):
    """A table under a title; ``lead`` says in words what kind of rows it holds."""

    family: str
    lead: str
    header: list[str]
    rows: list[list[Cell]]


def boards(section: pd.DataFrame, run: Run) -> Iterator[Board]:
    """Yield the tables of one dataset and split: a part for each family of metrics.

    In each part the rows that compete stand first, then the controls, then the metrics that never
    rank; many metrics are divided over several tables.

    Args:
        section: rows of `leaderboard`.
        run: ``run.json``.
    """
    for family in FAMILIES:
        ranked = [m for m in metrics_of(run, family, ranked=True) if _scored(section, m).any()]
        for chosen in np.array_split(ranked, -(-len(ranked) // _WIDEST)) if ranked else ():
            rows = _in_order(section, run, ranked[0])
            yield from _family(rows, run, family, [str(metric) for metric in chosen])
        bounds = [m for m in metrics_of(run, family, ranked=False) if _scored(section, m).any()]
        if bounds:
            rows = section[(section["kind"] != "control") & _scored(section, bounds[0])]
            rows = _in_order(rows, run, bounds[0])
            yield _table(rows, run, family, "Upper bounds, never ranked", bounds, compete=False)


def cost_board(section: pd.DataFrame, run: Run) -> Board | None:
    """Return what a map of each row costs, or None where nobody measured."""
    rows = section[(section["kind"] != "control") & section[list(COSTS)].notna().any(axis=1)]
    if rows.empty:
        return None
    lines = [
        [*_names(row, run), *(Cell(_cost(row[name])) for name in COSTS)]
        for row in rows.to_dict("records")
    ]
    return Board("cost", "", ["method", "model", *_COST_HEADERS], lines)


def _family(rows: pd.DataFrame, run: Run, family: str, metrics: list[str]) -> Iterator[Board]:
    rows = rows[np.any([_scored(rows, metric) for metric in metrics], axis=0)]
    compete = rows["kind"] != "control"
    if compete.any():
        yield _table(rows[compete], run, family, "", metrics, compete=True)
    if not compete.all():
        lead = "Controls, not ranked"
        yield _merged(_table(rows[~compete], run, family, lead, metrics, compete=False))


def _table(
    rows: pd.DataFrame, run: Run, family: str, lead: str, metrics: list[str], *, compete: bool
) -> Board:
    first = metrics[0]
    ranks = compete and bool((rows[f"{first}_rank_high"] > 0).any())
    skills = compete and bool(rows[f"{first}_skill"].notna().any())
    columns = [_column(rows, run, metric, compete=compete) for metric in metrics]
    lines = []
    for place, row in enumerate(rows.to_dict("records")):
        maps = max(row[f"{metric}_n"] + row[f"{metric}_undefined"] for metric in metrics)
        cells = [*_names(row, run), *(column[place] for column in columns)]
        if ranks:
            low, high = row[f"{first}_rank_low"], row[f"{first}_rank_high"]
            cells.append(Cell(NONE if np.isnan(low) else f"{low:.0f}" if low == high
                              else f"{low:.0f} to {high:.0f}"))  # fmt: skip
        if skills:
            cells.append(Cell(number(row[f"{first}_skill"])))
        lines.append([*cells, Cell(str(maps)), Cell(str(row["degenerate_maps"]))])
    return Board(
        family,
        lead,
        [
            *("method", "model", *(header(run, metric) for metric in metrics)),
            *([f"rank by {first}"] if ranks else []),
            *([f"skill by {first}"] if skills else []),
            *("maps", "degenerate"),
        ],
        lines,
    )


def _column(rows: pd.DataFrame, run: Run, metric: str, *, compete: bool) -> list[Cell]:
    values = rows[metric].to_numpy(float)
    known = np.abs(values[~np.isnan(values)])
    fine = bool(known.size and _TINY < known.max() < _FINE)
    # A row that lacks images may look best without them.
    whole = rows[f"{metric}_n"] == rows[f"{metric}_n"].max()
    best = (
        int(np.nanargmax(np.where(whole, sign(run, metric) * values, np.nan))) if known.size else 0
    )
    top = number(values[best], fine)
    ties = _ties(list(rows[f"{metric}_ties"]), best) if known.size else []
    return [
        Cell(
            number(row[metric], fine),
            # As printed: of two equal numbers not one alone may look better.
            compete and known.size > 0 and whole.iloc[place] and number(row[metric], fine) == top,
            span(row[f"{metric}_low"], row[f"{metric}_high"], fine),
            ties[place] if compete and ties else "",
            row[f"{metric}_undefined"],
        )
        for place, row in enumerate(rows.to_dict("records"))
    ]


def _ties(letters: list[str], best: int) -> list[str]:
    """Return the letters; where they are too many to read, which rows tie with the best one."""
    named = [set(re.findall(r"[a-z]\d*", text)) for text in letters]
    if max(map(len, named)) <= _MOST_LETTERS:
        return letters
    return [TIED if place != best and own & named[best] else "" for place, own in enumerate(named)]


def _merged(board: Board) -> Board:
    """Name a control once where it scores the same beside every model, as blind ones do."""
    by_name: dict[Cell, list[list[Cell]]] = {}
    for row in board.rows:
        by_name.setdefault(row[0], []).append(row)
    rows: list[list[Cell]] = []
    for name, found in by_name.items():
        same = len(found) > 1 and all(row[2:] == found[0][2:] for row in found)
        rows += [[name, Cell(f"all {len(found)}"), *found[0][2:]]] if same else found
    return board._replace(rows=rows)


def _names(row: dict[Any, Any], run: Run) -> Sequence[Cell]:
    method, model = str(row["method"]), str(row["model"])
    taught = not np.isnan(row["mask_budget"])
    if row["kind"] == "learned":
        method += f" (learned, masks for {100 * row['mask_budget']:g} %)"
    elif row["kind"] == "control":
        method += " (control, blind)" if is_blind(method, run) else " (control)"
    return Cell(method), Cell(f"{model} †" if taught and row["kind"] == "method" else model)


def _scored(rows: pd.DataFrame, metric: str) -> "pd.Series[bool]":
    return rows[f"{metric}_n"] + rows[f"{metric}_undefined"] > 0


def _in_order(rows: pd.DataFrame, run: Run, metric: str) -> pd.DataFrame:
    """Order by a metric; equal rows stay as they were."""
    cost = -sign(run, metric) * rows[metric]
    return rows.loc[cost.sort_values(kind="stable", na_position="last").index]


def _cost(value: float) -> str:
    if np.isnan(value):
        return NONE
    return f"{value:.3g}" if value < _LARGE else f"{value:.0f}"
