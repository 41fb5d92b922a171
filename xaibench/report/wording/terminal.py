"""The board in a terminal."""

import sys

import pandas as pd
from rich.console import Console
from rich.table import Table

from xaibench.report.facts.section import SECTION
from xaibench.report.facts.traits import Run
from xaibench.report.wording.boards import Board, Cell, boards, cost_board

_WIDE = 180


def print_board(board: pd.DataFrame, run: Run) -> None:
    """Write the boards to standard output; controls are dimmed, plain text where it is no terminal.

    Args:
        board: from `leaderboard`.
        run: ``run.json``.
    """
    if board.empty:
        return
    console = Console(width=None if sys.stdout.isatty() else _WIDE)
    for (dataset, split), section in board.groupby(SECTION, sort=False):
        cost = cost_board(section, run)
        for each in [*boards(section, run), *([cost] if cost else [])]:
            lead = f", {each.lead.lower()}" if each.lead else ""
            # Specs hold brackets, which rich would take for markup.
            console.print(f"{dataset}, {split}: {each.family}{lead}", markup=False, style="bold")
            console.print(_table(each), style="dim" if each.lead else None)
            console.print()
    console.print(
        "value [95 % interval] letters: rows that share a letter can't be told apart (=: from the "
        "best); the best is marked *. leaderboard.md says what may be concluded.",
        markup=False,
    )


def _table(board: Board) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for place, name in enumerate(board.header):
        named = place < 2  # noqa: PLR2004
        table.add_column(_plain(name), justify="left" if named else "right", overflow="fold")
    for row in board.rows:
        table.add_row(*(_plain(_text(cell)) for cell in row))
    return table


def _text(cell: Cell) -> str:
    parts = [f"*{cell.text}" if cell.bold else cell.text, cell.interval, cell.ties]
    parts += [f"({cell.undefined} undef.)"] if cell.undefined else []
    return " ".join(part for part in parts if part)


def _plain(text: str) -> str:
    return text.replace("[", r"\[")
