"""The board for people: tables of finished cells, which Markdown, LaTeX and terminal then print."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from xaibench.core.completeness import TOLERANCE
from xaibench.core.supervision import in_words
from xaibench.report.facts.traits import FAMILIES, header, metrics_of
from xaibench.report.numbers import NONE, is_fine, number, span
from xaibench.results.records import RunRecord
from xaibench.results.tables import COSTS, GAP
from xaibench.stats.ranks import tie_letters

_WIDEST = 4  # metrics side by side
_LARGE = 1000
_MOST_LETTERS = 4
TIED = "="
_COST_HEADERS = ("s per image", "forwards per image", "peak MB")


class BoardCell(NamedTuple):
    """One cell: what is printed, and the numbers behind it.

    ``value``, by which a column is sorted, and the interval's ends are None where there is none.
    ``letters`` are all of a row's, however many; of the rows that can't be told apart from the best
    one `TIED` is one more.
    """

    text: str
    bold: bool = False
    interval: str = ""
    ties: str = ""
    undefined: int = 0
    value: float | None = None
    low: float | None = None
    high: float | None = None
    letters: tuple[str, ...] = ()

    @property
    def printed(self) -> tuple[object, ...]:
        """What a reader sees of it: numbers that differ by rounding alone look the same."""
        return self[:5]


class BoardRow(NamedTuple):
    """Whose row it is; ``model`` is empty for a control that scores the same beside every one."""

    method: str
    model: str
    kind: str


class Board(NamedTuple):
    """A table under a title; ``lead`` says in words what kind of rows it holds.

    Behind method and model stand the ``metrics``, and behind them what else is known of a row.
    """

    family: str
    lead: str
    header: list[str]
    rows: list[list[BoardCell]]
    lines: list[BoardRow]
    metrics: Sequence[str] = ()


def boards(section: pd.DataFrame, run: RunRecord, widest: int = _WIDEST) -> Iterator[Board]:
    """Yield the tables of one dataset and split: a part for each family of metrics.

    In each part the rows that compete stand first, then the controls, then the metrics that never
    rank; more than ``widest`` ranked metrics are divided over several tables.
    """
    for family in FAMILIES:
        ranked = [m for m in metrics_of(run, family, ranked=True) if _scored(section, m).any()]
        for chosen in np.array_split(ranked, -(-len(ranked) // widest)) if ranked else ():
            rows = _in_order(section, run, ranked[0])
            yield from _family(rows, run, family, [str(metric) for metric in chosen])
        bounds = [m for m in metrics_of(run, family, ranked=False) if _scored(section, m).any()]
        if bounds:
            rows = section[(section["kind"] != "control") & _scored(section, bounds[0])]
            rows = _in_order(rows, run, bounds[0])
            yield _table(rows, run, family, "Upper bounds, never ranked", bounds, compete=False)


def cost_board(section: pd.DataFrame, run: RunRecord) -> Board | None:
    """Return what a map of each row costs, or None where nobody measured."""
    rows = section[(section["kind"] != "control") & section[list(COSTS)].notna().any(axis=1)]
    if rows.empty:
        return None
    promised = GAP in rows and bool(rows[GAP].notna().any())
    cells = [
        [*_names(row, run), *(BoardCell(_cost(row[n]), value=_known(row[n])) for n in COSTS),
         *([BoardCell(_gap(row[GAP]), value=_known(row[GAP]))] if promised else [])]
        for row in rows.to_dict("records")
    ]  # fmt: skip
    header = ["method", "model", *_COST_HEADERS, *(["missed of the sum"] if promised else [])]
    return Board("cost", "", header, cells, _lines(rows))


def _family(rows: pd.DataFrame, run: RunRecord, family: str, metrics: list[str]) -> Iterator[Board]:
    rows = rows[np.any([_scored(rows, metric) for metric in metrics], axis=0)]
    compete = rows["kind"] != "control"
    if compete.any():
        yield _table(rows[compete], run, family, "", metrics, compete=True)
    if not compete.all():
        lead = "Controls, not ranked"
        yield _merged(_table(rows[~compete], run, family, lead, metrics, compete=False))


def _table(
    rows: pd.DataFrame, run: RunRecord, family: str, lead: str, metrics: list[str], *, compete: bool
) -> Board:
    first = metrics[0]
    ranks = compete and bool((rows[f"{first}_rank_high"] > 0).any())
    skills = compete and bool(rows[f"{first}_skill"].notna().any())
    columns = [_column(rows, run, metric, compete=compete) for metric in metrics]
    table = []
    for place, row in enumerate(rows.to_dict("records")):
        maps = max(row[f"{metric}_n"] + row[f"{metric}_undefined"] for metric in metrics)
        cells = [*_names(row, run), *(column[place] for column in columns)]
        if ranks:
            low, high = row[f"{first}_rank_low"], row[f"{first}_rank_high"]
            text = NONE if np.isnan(low) else _steps(low, high)
            cells.append(BoardCell(text, value=_known(low), low=_known(low), high=_known(high)))
        if skills:
            skill = row[f"{first}_skill"]
            cells.append(BoardCell(number(skill), value=_known(skill)))
        cells += [BoardCell(str(n), value=float(n)) for n in (maps, row["degenerate_maps"])]
        table.append(cells)
    return Board(
        family,
        lead,
        [
            *("method", "model", *(header(run, metric) for metric in metrics)),
            *([f"rank by {first}"] if ranks else []),
            *([f"skill by {first}"] if skills else []),
            *("maps", "degenerate"),
        ],
        table,
        _lines(rows),
        metrics,
    )


def _column(rows: pd.DataFrame, run: RunRecord, metric: str, *, compete: bool) -> list[BoardCell]:
    # Boards have hundreds of columns, and each of them comes here.
    own = rows[[metric, *(f"{metric}_{name}" for name in ("low", "high", "undefined"))]]
    values = rows[metric].to_numpy(float)
    known = np.abs(values[~np.isnan(values)])
    fine = is_fine(values)
    # A row that lacks images may look best without them.
    whole = rows[f"{metric}_n"] == rows[f"{metric}_n"].max()
    best = (
        int(np.nanargmax(np.where(whole, run.metrics[metric].sign * values, np.nan)))
        if known.size
        else 0
    )
    top = number(values[best], fine)
    letters = [tie_letters(text) if compete else [] for text in rows[f"{metric}_ties"]]
    ties = _ties(list(rows[f"{metric}_ties"]), best) if compete and known.size else [""] * len(rows)
    return [
        BoardCell(
            number(row[metric], fine),
            # As printed: of two equal numbers not one alone may look better.
            compete and known.size > 0 and whole.iloc[place] and number(row[metric], fine) == top,
            span(row[f"{metric}_low"], row[f"{metric}_high"], fine),
            ties[place],
            row[f"{metric}_undefined"],
            _known(row[metric]),
            _known(row[f"{metric}_low"]),
            _known(row[f"{metric}_high"]),
            (*letters[place], *([TIED] if set(letters[place]) & set(letters[best]) else [])),
        )
        for place, row in enumerate(own.to_dict("records"))
    ]


def _ties(letters: list[str], best: int) -> list[str]:
    """Return the letters; where they are too many to read, which rows tie with the best one."""
    named = [set(tie_letters(text)) for text in letters]
    if max(map(len, named)) <= _MOST_LETTERS:
        return letters
    return [TIED if place != best and own & named[best] else "" for place, own in enumerate(named)]


def _merged(board: Board) -> Board:
    """Name a control once where it scores the same beside every model, as blind ones do."""
    by_name: dict[BoardCell, list[int]] = {}
    for place, row in enumerate(board.rows):
        by_name.setdefault(row[0], []).append(place)
    rows: list[list[BoardCell]] = []
    lines: list[BoardRow] = []
    for name, places in by_name.items():
        first = board.rows[places[0]]
        seen = {tuple(cell.printed for cell in board.rows[place][2:]) for place in places}
        if len(places) > 1 and len(seen) == 1:
            rows.append([name, BoardCell(f"all {len(places)}"), *first[2:]])
            lines.append(board.lines[places[0]]._replace(model=""))
        else:
            rows += [board.rows[place] for place in places]
            lines += [board.lines[place] for place in places]
    return board._replace(rows=rows, lines=lines)


def _names(row: dict[Any, Any], run: RunRecord) -> Sequence[BoardCell]:
    method, model = str(row["method"]), str(row["model"])
    if row["kind"] == "learned":
        method += f" (learned, {in_words(row['supervision'], row['mask_budget'])})"
    elif row["kind"] == "control":
        method += " (control, blind)" if run.is_blind(method) else " (control)"
    model += " †" * (row["kind"] == "method" and row["mask_budget"] > 0)
    return BoardCell(method), BoardCell(model)


def _lines(rows: pd.DataFrame) -> list[BoardRow]:
    return [BoardRow(*map(str, row)) for row in rows[["method", "model", "kind"]].to_numpy()]


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _steps(low: float, high: float) -> str:
    return f"{low:.0f}" if low == high else f"{low:.0f} to {high:.0f}"


def _scored(rows: pd.DataFrame, metric: str) -> "pd.Series[bool]":
    return rows[f"{metric}_n"] + rows[f"{metric}_undefined"] > 0


def _in_order(rows: pd.DataFrame, run: RunRecord, metric: str) -> pd.DataFrame:
    """Order by a metric; equal rows stay as they were."""
    cost = -run.metrics[metric].sign * rows[metric]
    return rows.loc[cost.sort_values(kind="stable", na_position="last").index]


def _gap(value: float) -> str:
    said = NONE if np.isnan(value) else f"{100 * value:.2g} %"
    return f"{said} (incomplete)" if value > TOLERANCE else said


def _cost(value: float) -> str:
    if np.isnan(value):
        return NONE
    return f"{value:.3g}" if value < _LARGE else f"{value:.0f}"
