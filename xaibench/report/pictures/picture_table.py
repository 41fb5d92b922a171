"""Pictures by rows and columns, each with what is said of it below."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from xaibench.report.pictures.drawing import DIM, FONT, new_figure
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
    """What a row is called, and its pictures; None leaves a place empty."""

    name: str
    cells: Sequence[Cell | None]


def draw_picture_table(headings: Sequence[str], rows: Sequence[PictureLine]) -> Figure:
    """Draw rows of pictures of one size each; the first of a row gives its proportions."""
    heads = [fold(heading, _LETTERS) for heading in headings]
    above = _LINE * max(head.count("\n") + 1 for head in heads) + _GAP
    pictured = [_height(row) for row in rows]
    below = [_LINE * max(_lines(cell) for cell in row.cells) + _GAP for row in rows]
    width = _MARGIN + len(headings) * (_CELL + _GAP)
    height = above + sum(pictured) + sum(below)
    figure = new_figure((width, height))
    top = above
    for number, row in enumerate(rows):
        for column, cell in enumerate(row.cells):
            left = _MARGIN + column * (_CELL + _GAP)
            if number == 0:
                middle = left + _CELL / 2
                figure.text(
                    middle / width,
                    1 - (above - _GAP) / height,
                    heads[column],
                    ha="center",
                    va="bottom",
                    size=_SMALL,
                )
            if cell is not None:
                tall = pictured[number]
                box = (left / width, 1 - (top + tall) / height, _CELL / width, tall / height)
                _paste(figure, box, cell)
        middle = 1 - (top + pictured[number] / 2) / height
        figure.text(
            (_MARGIN - 2 * _GAP) / width,
            middle,
            "\n".join(fold(line, _LETTERS) for line in row.name.split("\n")),
            ha="right",
            va="center",
            size=_SMALL,
        )
        top += pictured[number] + below[number]
    return figure


def _height(row: PictureLine) -> float:
    rows, columns = next(cell.picture.shape for cell in row.cells if cell is not None)[:2]
    return _CELL * float(min(rows / columns, _TALLEST))


def _lines(cell: Cell | None) -> int:
    return cell.words.count("\n") + 1 if cell is not None and cell.words else 0


def _paste(figure: Figure, box: tuple[float, float, float, float], cell: Cell) -> None:
    axes = figure.add_axes(box)
    axes.imshow(cell.picture, aspect="auto", cmap="gray", vmin=0, vmax=255)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set(visible=True, color=DIM)  # else a white picture has no edge
    rows, columns = cell.picture.shape[:2]
    for line in cell.lines:
        axes.plot(*(line * (columns, rows) - 0.5).T, color=COLOR, linewidth=0.9)
    if cell.words:
        axes.set_xlabel(cell.words, size=_SMALL, labelpad=2)
