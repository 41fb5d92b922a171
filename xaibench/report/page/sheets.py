"""Boards as a page shows them: columns that sort, with a scale that intervals are drawn on."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from xaibench.core.store import folder_name
from xaibench.report.facts.court import in_court
from xaibench.report.judging.estimates import BoardRow
from xaibench.report.numbers import number
from xaibench.report.wording.board_table import TIED, Board, BoardCell, BoardColumn
from xaibench.report.wording.boards import boards, cost_board
from xaibench.results.records import RunRecord

_ALL = 1000  # metrics side by side: a page scrolls
_TINY = 0.01
_NOTHING = BoardCell("")
_ASCENDING, _DESCENDING = "ascending", "descending"


class IntervalBar(NamedTuple):
    """Where a mean, its interval and the best blind control lie, in % of the column's scale.

    ``beyond`` tells that the mean lies outside of the scale, and is shown at its end.
    """

    at: float
    low: float
    high: float
    blind: float | None
    beyond: bool


class Column(NamedTuple):
    """A column's head.

    Attributes:
        title: what it is called.
        metric: its metric; empty for what is beside them.
        order: what the first click on it sorts to, the best first.
        letters: of its tie groups.
        ends: the scale's ends, as text; empty where there is none.
        told: the metric's definition in a line.
        anchor: where the page defines it.
    """

    title: str
    metric: str = ""
    order: str = _ASCENDING
    letters: Sequence[str] = ()
    ends: tuple[str, ...] = ()
    told: str = ""
    anchor: str = ""


class SheetRow(NamedTuple):
    """A row: whose it is, and its cells, with a bar where they hold a mean."""

    line: BoardRow
    cells: Sequence[tuple[BoardCell, IntervalBar | None]]


class Body(NamedTuple):
    """Rows that are sorted among themselves."""

    lead: str
    rows: Sequence[SheetRow]


@dataclass(frozen=True)
class Sheet:
    """A table of the page; metrics that never rank have tables of their own."""

    title: str
    columns: Sequence[Column]
    bodies: Sequence[Body]
    ranked: bool = True

    @property
    def models(self) -> list[str]:
        """Whose rows it holds; controls that are the same beside every model name none."""
        lines = [row.line for body in self.bodies for row in body.rows]
        return list(dict.fromkeys(line.model for line in lines if line.model))


def sheets(section: Sequence[BoardRow], run: RunRecord) -> Iterator[Sheet]:
    """Yield the boards of one dataset and split, controls under the rows that compete.

    Args:
        section: rows from `leaderboard`.
        run: ``run.json``.
    """
    waiting: list[Board] = []
    for board in boards(section, run, widest=_ALL):
        if waiting and (board.family != waiting[0].family or board.metrics != waiting[0].metrics):
            yield _sheet(waiting, section, run)
            waiting = []
        waiting.append(board)
    if waiting:
        yield _sheet(waiting, section, run)


def cost_sheet(section: Sequence[BoardRow], run: RunRecord) -> Sheet | None:
    """Return what maps cost, or None where nobody measured."""
    board = cost_board(section, run)
    if board is None:
        return None
    rows = [_row(board, at, board.columns, {}) for at in range(len(board.rows))]
    return Sheet(
        "Seconds, passes and memory", [Column(title) for title in board.header], [Body("", rows)]
    )


def metric_anchor(run: RunRecord, metric: str) -> str:
    """Return the id of a metric's definition; empty where the run holds none."""
    defined = run.metrics[metric].definition
    return f"metric-{folder_name(metric)}" if defined else ""


def _sheet(parts: Sequence[Board], section: Sequence[BoardRow], run: RunRecord) -> Sheet:
    first = parts[0]
    heads, bars = [], {}
    for place, metric in enumerate(first.metrics, start=2):
        scale = _Scale(parts, place, section, run, metric)
        bars[place] = scale
        cells = [row[place] for row in first.rows]
        letters = {letter for cell in cells for letter in cell.letters if letter != TIED}
        marked = [TIED] if any(cell.ties == TIED for cell in cells) else []
        heads.append(
            Column(
                first.columns[place].title,
                metric,
                _DESCENDING if run.metrics[metric].higher_is_better else _ASCENDING,
                [*sorted(letters, key=lambda letter: (len(letter), letter)), *marked],
                scale.ends,
                _told(run, metric),
                metric_anchor(run, metric),
            )
        )
    beside = [_beside(each) for each in first.columns]
    columns = [*beside[:2], *heads, *beside[2 + len(heads) :]]
    lead = first.lead if len(parts) == 1 else ""
    bodies = [
        Body(part.lead, [_row(part, at, first.columns, bars) for at in range(len(part.rows))])
        for part in parts
    ]
    title = first.family.capitalize()
    ranked = all(run.metrics[metric].ranked for metric in first.metrics)
    return Sheet(f"{title}: {lead.lower()}" if lead else title, columns, bodies, ranked)


class _Scale:
    """A column's scale: from the lowest end of an interval to the highest, of all that compete."""

    def __init__(
        self,
        parts: Sequence[Board],
        place: int,
        section: Sequence[BoardRow],
        run: RunRecord,
        metric: str,
    ) -> None:
        rows = [row[place] for row in parts[0].rows]
        self._blind = _blind_values(section, run, metric)
        ends = [*self._blind.values()]
        for cell in rows:
            ends += [end for end in (cell.value, cell.low, cell.high) if end is not None]
        self._low, self._high = (min(ends), max(ends)) if ends else (0.0, 0.0)
        fine = bool(ends) and 0 < max(map(abs, ends)) < _TINY
        drawn = self._high > self._low
        self.ends = tuple(number(end, fine) for end in (self._low, self._high)) if drawn else ()

    def bar(self, cell: BoardCell, model: str) -> IntervalBar | None:
        if cell.value is None or not self.ends:
            return None
        low = cell.value if cell.low is None else cell.low
        high = cell.value if cell.high is None else cell.high
        blind = self._blind.get(model, self._blind.get(""))
        return IntervalBar(
            self._percent(cell.value),
            self._percent(low),
            self._percent(high),
            None if blind is None else self._percent(blind),
            not self._low <= cell.value <= self._high,
        )

    def _percent(self, value: float) -> float:
        share = (value - self._low) / (self._high - self._low)
        return round(100 * min(max(share, 0.0), 1.0), 1)


def _blind_values(section: Sequence[BoardRow], run: RunRecord, metric: str) -> dict[str, float]:
    """Return the best blind control's value for each model, and of all models under no name."""
    best = max if run.metrics[metric].higher_is_better else min
    found: dict[str, float] = {}
    for row in section:
        if run.is_blind(row.method) and not np.isnan(value := row.value(metric)):
            for name in (row.model, ""):
                found[name] = best(found.get(name, value), value)
    return found


def _row(
    board: Board, at: int, columns: Iterable[BoardColumn], scales: dict[int, _Scale]
) -> SheetRow:
    line, own = board.lines[at], dict(zip(board.columns, board.rows[at], strict=True))
    cells = [own.get(column, _NOTHING) for column in columns]
    return SheetRow(
        line,
        [
            (cell, scales[place].bar(cell, line.model) if place in scales else None)
            for place, cell in enumerate(cells)
        ],
    )


def _beside(column: BoardColumn) -> Column:
    falling = column.holds in ("skill", "reach", "dependence", "repeats", "count")
    return Column(column.title, order=_DESCENDING if falling else _ASCENDING)


def _told(run: RunRecord, metric: str) -> str:
    entries = run.metrics[metric].definition or {}
    wanted = ("measures", "value", "direction", "bounds")
    told = [" ".join(str(entries[key]).split()) for key in wanted if entries.get(key)]
    verdict = in_court(metric)
    return " ".join([*told, *([f"Court: {verdict}."] if verdict else [])])
