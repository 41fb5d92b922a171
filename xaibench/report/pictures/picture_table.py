"""Pictures by rows and columns, each with what is said of it below."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from xaibench.report.pictures.drawing import DIM, FONT, new_axes
from xaibench.report.pictures.outline import COLOR, Polyline
from xaibench.report.pictures.shown_rows import fold

_CELL, _GAP, _LINE, _MARGIN = 1.2, 0.06, 0.13, 1.25  # inches
_TALLEST = 1.4
_LETTERS, _SMALL = 20, FONT - 1.5


class Cell(NamedTuple):
    """A picture ``(H, W, 3)`` or ``(H, W)``, what is said of it, and lines drawn over it."""

    picture: NDArray[np.uint8]
    words: str = ""
    lines: Sequence[Polyline] = ()


class PictureLine(NamedTuple):
    """What a row is called, and its pictures, maybe of some columns; None leaves a place empty."""

    name: str
    cells: Sequence[Cell | None]


def draw_picture_table(headings: Sequence[str], rows: Sequence[PictureLine]) -> Figure:
    """Draw rows of pictures of one size each; the first of a row gives its proportions."""
    heads = [fold(heading, _LETTERS) for heading in headings]
    above = _LINE * max(head.count("\n") + 1 for head in heads) + _GAP
    pictured = [_height(row) for row in rows]
    below = [_LINE * max(_lines(cell) for cell in row.cells) + _GAP for row in rows]
    width = _MARGIN + len(headings) * (_CELL + _GAP)
    # One sheet for all, in inches from above: axes of its own for each picture take far longer.
    figure, axes = new_axes(width, above + sum(pictured) + sum(below))
    lefts = [_MARGIN + column * (_CELL + _GAP) for column in range(len(headings))]
    for left, head in zip(lefts, heads, strict=True):
        axes.text(left + _CELL / 2, above - _GAP, head, ha="center", va="bottom", size=_SMALL)
    top = above
    for row, tall, said in zip(rows, pictured, below, strict=True):
        name = "\n".join(fold(line, _LETTERS) for line in row.name.split("\n"))
        axes.text(_MARGIN - 2 * _GAP, top + tall / 2, name, ha="right", va="center", size=_SMALL)
        for left, cell in zip(lefts, row.cells, strict=False):
            if cell is not None:
                _paste(axes, left, top, tall, cell)
        top += tall + said
    axes.set(xlim=(0, width), ylim=(top, 0), aspect="auto")
    axes.set_axis_off()
    return figure


def _height(row: PictureLine) -> float:
    rows, columns = next(cell.picture.shape for cell in row.cells if cell is not None)[:2]
    return _CELL * float(min(rows / columns, _TALLEST))


def _lines(cell: Cell | None) -> int:
    return cell.words.count("\n") + 1 if cell is not None and cell.words else 0


def _paste(axes: Axes, left: float, top: float, tall: float, cell: Cell) -> None:
    edges = (left, left + _CELL, top + tall, top)
    axes.imshow(cell.picture, extent=edges, cmap="gray", vmin=0, vmax=255)
    # Else a white picture has no edge.
    axes.add_patch(Rectangle((left, top), _CELL, tall, fill=False, color=DIM, linewidth=0.6))
    for line in cell.lines:
        across, down = line.T
        axes.plot(left + across * _CELL, top + down * tall, color=COLOR, linewidth=0.9)
    if cell.words:
        below = top + tall + _GAP / 2
        axes.text(left + _CELL / 2, below, cell.words, ha="center", va="top", size=_SMALL)
