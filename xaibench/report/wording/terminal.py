"""The board in a terminal: a screen that says what came out, or all tables."""

import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pandas as pd
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from xaibench.core.visible import visible
from xaibench.report.facts.section import SECTION
from xaibench.report.facts.traits import header, headlines
from xaibench.report.judging.blind import blind_rows
from xaibench.report.judging.chapter import Chapter, Contents
from xaibench.report.numbers import is_fine, number, span
from xaibench.report.wording.board_table import Board, BoardCell
from xaibench.report.wording.boards import boards, cost_board
from xaibench.report.wording.headline import headline
from xaibench.results.records import RunRecord

_WIDE, _SCREEN = 180, 100
_ROWS, _FEWEST_ROWS = 12, 3
_METHOD, _MODEL, _VALUE = 24, 22, 13
_NAMES = 2  # method and model, which are before the numbers
_READING = (
    "value [95 % interval] letters: rows that share a letter are not significantly different (=: "
    "from the best); the best is marked *. leaderboard.md says what may be concluded."
)


class _Column(NamedTuple):
    """One metric of a summary: cells and ranks by (method, model), and the best blind control."""

    title: str
    cells: dict[tuple[str, str], BoardCell]
    ranks: dict[tuple[str, str], BoardCell]
    blind: str


def summary(contents: Contents, *, plain: bool = False) -> str:
    """Write what a run came to on about a screen: the first metric of each family, and who leads.

    Plain text where standard output is no terminal, or where that is asked for.
    """
    most = max(_ROWS // max(len(contents.chapters), 1), _FEWEST_ROWS)
    console = Console(width=_SCREEN, color_system=None) if plain else _console(_SCREEN)
    parts: list[RenderableType] = []
    for chapter in contents.chapters:
        parts += _chapter(chapter, contents, most, spans=console.width >= _SCREEN)
    return _render(console, parts)


def full_boards(contents: Contents) -> str:
    """Write all tables; controls are dimmed, plain text where it is no terminal."""
    parts: list[RenderableType] = []
    for chapter in contents.chapters:
        cost = cost_board(chapter.board, contents.run)
        for each in [*boards(chapter.board, contents.run), *([cost] if cost else [])]:
            lead = f", {each.lead.lower()}" if each.lead else ""
            parts += [_title(chapter, f": {each.family}{lead}"), _table(each), Text()]
    return _render(_console(_WIDE), [*parts, Text(_READING)] if parts else [])


def _console(width: int) -> Console:
    return Console(width=None if sys.stdout.isatty() else width)


def _render(console: Console, parts: Sequence[RenderableType]) -> str:
    with console.capture() as captured:
        for part in parts:
            console.print(_Visible(part))
    lines = (line.rstrip() for line in captured.get().splitlines())
    return "\n".join(lines)


class _Visible:
    """Shows a part of the text with the control characters of names as escapes."""

    def __init__(self, part: RenderableType) -> None:
        self._part = part

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for segment in console.render(self._part, options):
            yield segment if segment.control else segment._replace(text=visible(segment.text))


def _title(chapter: Chapter, more: str = "") -> Text:
    return Text(f"{chapter.section.title}{more}", "bold")


def _chapter(
    chapter: Chapter, contents: Contents, most: int, *, spans: bool
) -> Iterator[RenderableType]:
    columns = list(_columns(chapter, contents))
    yield _title(chapter)
    if columns:
        yield _summary_table(columns, most, spans=spans)
        left = len(columns[0].cells) - most
        if left > 0:
            yield Text(f"... and {left} more rows in leaderboard.md", "dim")
    accuracies = "; ".join(_accuracies(chapter, contents.classification))
    if accuracies:
        yield Text(f"accuracy: {accuracies}")
    for sentence in headline(chapter.section, contents.run, chapter.judged):
        yield Text(sentence.replace("`", ""))
    yield Text()


def _columns(chapter: Chapter, contents: Contents) -> Iterator[_Column]:
    run = contents.run
    found = list(boards(chapter.board, run))
    for metric in headlines(run):
        board = next((b for b in found if metric in b.metrics and not b.lead), None)
        if board is None:
            continue
        yield _Column(
            header(run, metric),
            board.cells("estimate", metric),
            board.cells("rank", metric),
            _blind(chapter, run, metric),
        )


def _blind(chapter: Chapter, run: RunRecord, metric: str) -> str:
    """Write the best control of any model that never looks at the image."""
    section, means = chapter.section, chapter.judged[metric].mean
    place = blind_rows(section, run, metric).get("")
    if place is None:
        return ""
    fine = is_fine(means[[at for at, row in enumerate(section.rows) if not row.competes]])
    return f"{number(means[place], fine)} {section.rows[place].method}"


def _summary_table(columns: Sequence[_Column], most: int, *, spans: bool) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    table.add_column("method", max_width=_METHOD, no_wrap=True, overflow="ellipsis")
    table.add_column("model", no_wrap=True, overflow="ellipsis")
    for column in columns:
        table.add_column(Text(f" {column.title}"), no_wrap=spans, overflow="fold", min_width=_VALUE)
        table.add_column("rank", justify="right", no_wrap=True, min_width=4)
    for key in list(columns[0].cells)[:most]:
        cells = [(c.cells.get(key), c.ranks.get(key)) for c in columns]
        texts = [text for pair in cells for text in _value_and_rank(*pair, spans=spans)]
        table.add_row(Text(key[0]), Text(_short(key[1])), *map(Text, texts))
    if any(column.blind for column in columns):
        blind = (column.blind if spans else column.blind.partition(" ")[0] for column in columns)
        values = (part for text in blind for part in (f" {text}", ""))
        table.add_row("best blind control", "", *map(Text, values), style="dim")
    return table


def _value_and_rank(
    value: BoardCell | None, rank: BoardCell | None, *, spans: bool
) -> tuple[str, str]:
    """Write two cells as narrow as can be; the star of the best stands out to the left."""
    text = _text(value if spans or value is None else value._replace(interval=""))
    ranks = _text(rank).replace(" to ", "-")
    return text if text.startswith("*") else f" {text}", ranks


def _short(name: str) -> str:
    """Leave out the middle of a long name: models of a family differ at the end."""
    half = _MODEL // 2
    return name if len(name) <= _MODEL else f"{name[:half]}…{name[1 - half :]}"


def _accuracies(chapter: Chapter, table: pd.DataFrame) -> Iterator[str]:
    place = (chapter.section.dataset, chapter.section.split)
    for keys, rows in table.groupby([*SECTION, "model"], sort=False):
        if keys[:2] == place and rows["accuracy"].notna().any():
            one = rows.iloc[0]
            said = (
                span(one["accuracy_low"], one["accuracy_high"])
                if len(rows) == 1
                else (f"over {len(rows)} trainings")
            )
            yield f"{keys[2]} {number(rows['accuracy'].mean())} {said}"


def _table(board: Board) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", style="dim" if board.lead else "")
    for place, name in enumerate(board.header):
        named = place < _NAMES
        table.add_column(Text(name), justify="left" if named else "right", overflow="fold")
    for row in board.rows:
        table.add_row(*(Text(_text(cell)) for cell in row))
    return table


def _text(cell: BoardCell | None) -> str:
    if cell is None:
        return ""
    parts = [f"*{cell.text}" if cell.bold else cell.text, cell.interval, cell.ties]
    parts += [f"({cell.undefined} undef.)"] if cell.undefined else []
    return " ".join(part for part in parts if part)
