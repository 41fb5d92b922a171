"""Writing boards and lists as Markdown."""

from collections.abc import Sequence

from xaibench.core.markdown import markdown_table, plain
from xaibench.report.wording.board_table import Board, BoardCell


def board_to_markdown(board: Board) -> str:
    """Write a board's table, its lead above it."""
    table = markdown_table(board.header, [[cell_text(cell) for cell in row] for row in board.rows])
    return f"{board.lead}:\n\n{table}" if board.lead else table


def cell_text(cell: BoardCell) -> str:
    """Write value, interval, letters and undefined maps.

    >>> cell_text(BoardCell("0.412", True, "[0.38, 0.44]", "a", 3))
    '**0.412** [0.38, 0.44] a (3 undefined)'
    """
    parts = [f"**{cell.text}**" if cell.bold else cell.text, cell.interval, cell.ties]
    parts += [f"({cell.undefined} undefined)"] if cell.undefined else []
    return " ".join(part for part in parts if part)


def bullets(lines: Sequence[str]) -> str:
    """Write a list."""
    return "\n".join(f"- {plain(' '.join(line.split()))}" for line in lines)
