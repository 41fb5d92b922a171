"""Heat maps in a grid."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patheffects import Normal, Stroke
from numpy.typing import NDArray
from PIL import Image

from xaibench.report.pictures.fonts import complete_fonts
from xaibench.report.pictures.outline import COLOR, Polyline, outlines
from xaibench.report.pictures.overlay import overlay

# Inches. Cells are placed by hand, because matplotlib's layouts leave wide gaps round pictures.
_CELL, _GAP, _CAPTION, _LINE, _MARGIN = 1.5, 0.05, 1.5, 0.13, 0.08
_TALLEST, _BAR = 1.5, 0.09
_FONT, _DPI = 7.5, 142
_ACROSS = 16  # methods; more of them go on below
_MOST = 4000 / _DPI  # inches; programs fail at larger pictures, and nobody finds a map in them


class GridRow(NamedTuple):
    """One image and its maps: ``(H, W, 3)`` uint8, ``(H, W)`` int8 or None, ``(H, W)`` in [0, 1].

    The caption is at the left; it may have several lines. A map that isn't there, or None,
    leaves its place empty. ``scores`` are written on the maps that have one.
    """

    caption: str
    image: NDArray[np.uint8]
    mask: NDArray[np.int8] | None
    maps: Mapping[str, NDArray[np.float32] | None]
    scores: Mapping[str, float] = {}

    @property
    def height(self) -> float:
        """Of its cells, in inches."""
        return _CELL * min(len(self.image) / len(self.image[0]), _TALLEST)


class _Block(NamedTuple):
    """Some methods of all rows, and the headings above them."""

    methods: Sequence[str]
    headings: Sequence[str]

    @property
    def head(self) -> float:
        return _MARGIN + _LINE * max(heading.count("\n") + 1 for heading in self.headings)


class _Sheet:
    """A page measured in inches from its top left corner; all pictures in it are one raster."""

    def __init__(self, width: float, height: float) -> None:
        self.figure = Figure((width, height), dpi=_DPI, facecolor="none")
        self._canvas: Any = FigureCanvasAgg(self.figure)
        self.height = height
        columns, rows = self._canvas.get_width_height()
        self._pixels = np.full((rows, columns, 3), 255, np.uint8)
        self._lines: dict[float, list[NDArray[np.float64]]] = {}

    def paste(self, left: float, top: float, picture: NDArray[np.uint8]) -> None:
        rows, columns = picture.shape[:2]
        y, x = round(top * _DPI), round(left * _DPI)
        self._pixels[y : y + rows, x : x + columns] = picture

    def outline(
        self, left: float, top: float, height: float, grades: Sequence[Sequence[Polyline]]
    ) -> None:
        for grade, lines in enumerate(grades, 1):
            width = 1.1 if grade == len(grades) else 0.6
            self._lines.setdefault(width, []).extend(
                np.column_stack((left + _CELL * x, self.height - top - height * y))
                for x, y in (line.T for line in lines)
            )

    def write(self, left: float, top: float, text: str, **style: Any) -> None:
        place = left, self.height - top
        self.figure.text(
            *place,
            text,
            transform=self.figure.dpi_scale_trans,
            parse_math=False,
            **{"size": _FONT, **style},
        )

    def save(self, path: Path) -> None:
        for width, lines in self._lines.items():
            drawn = LineCollection(
                lines, colors=COLOR, linewidths=width, transform=self.figure.dpi_scale_trans
            )
            drawn.set_path_effects([Stroke(linewidth=width + 0.9, foreground="black"), Normal()])
            self.figure.add_artist(drawn)
        complete_fonts(self.figure)
        # Through matplotlib the raster itself would take ten times as long.
        self._canvas.draw()
        written = Image.fromarray(np.asarray(self._canvas.buffer_rgba()))
        sheet = Image.fromarray(self._pixels)
        sheet.paste(written, (0, 0), written)
        sheet.save(path, "png", compress_level=3)


def draw_grid(rows: Sequence[GridRow], path: Path, title: str = "") -> None:
    """Save a PNG: a row for each image, a column for each method, the mask outlined everywhere.

    The more relevant a pixel, the more opaque its heat. A method without a map for an image leaves
    its cell empty. A layered mask is outlined at every positive grade. Of many methods all rows
    are once for the first ones, and again below for the next. No side is longer than 4000
    pixels: what has no room is left out, and a line at the foot says how much.

    Raises:
        ValueError: there are no rows.
    """
    if not rows:
        raise ValueError("draw_grid needs at least one row.")
    top = 1.6 * _LINE if title else 0
    rows, blocks, left_out = _fitting(rows, list(_blocks(rows)), _MOST - top - 5 * _LINE)
    foot = 3 * _LINE if blocks[0].methods else _MARGIN
    height = top + sum(_height(block, rows) for block in blocks) + foot
    sheet = _Sheet(
        _CAPTION + (1 + max(len(block.methods) for block in blocks)) * (_CELL + _GAP) + _MARGIN,
        height + (2 * _LINE if left_out else 0),
    )
    sheet.write(_CAPTION, _MARGIN, title, va="top", size=_FONT + 2, weight="bold")
    for block in blocks:
        top = _draw_block(sheet, block, rows, top)
    if blocks[0].methods:
        _draw_scale(sheet, top + 0.6 * _LINE, any(row.mask is not None for row in rows))
    if left_out:
        sheet.write(_MARGIN, height, f"left out: {left_out}", va="top", weight="bold")
    sheet.save(path)


def _fitting(
    rows: Sequence[GridRow], blocks: Sequence[_Block], room: float
) -> tuple[Sequence[GridRow], Sequence[_Block], str]:
    """Return the images and the blocks that have room, at least one each, and what has not."""
    images = len(rows)
    while len(rows) > 1 and _height(blocks[0], rows) > room:
        rows = rows[:-1]
    kept = [blocks[0]]
    for block in blocks[1:]:
        if sum(_height(each, rows) for each in [*kept, block]) > room:
            break
        kept.append(block)
    methods = sum(len(block.methods) for block in blocks[len(kept) :])
    lost = {"methods": methods, "images": images - len(rows)}
    return rows, kept, ", ".join(f"{count} more {what}" for what, count in lost.items() if count)


def _height(block: _Block, rows: Sequence[GridRow]) -> float:
    return block.head + sum(row.height + _GAP for row in rows)


def _blocks(rows: Sequence[GridRow]) -> Iterator[_Block]:
    there = {name for row in rows for name, heat in row.maps.items() if heat is not None}
    methods = [
        name for name in dict.fromkeys(name for row in rows for name in row.maps) if name in there
    ]
    for first in range(0, max(len(methods), 1), _ACROSS):
        chosen = methods[first : first + _ACROSS]
        # Long specs break before their options and between them.
        names = ["image", *(name.replace("[", "\n[").replace(",", ", ") for name in chosen)]
        yield _Block(chosen, [_wrap(name) for name in names])


def _draw_block(sheet: _Sheet, block: _Block, rows: Sequence[GridRow], top: float) -> float:
    """Draw a block; return where it ends."""
    lefts = [_CAPTION + at * (_CELL + _GAP) for at in range(len(block.headings))]
    top += block.head
    for left, heading in zip(lefts, block.headings, strict=True):
        sheet.write(left + _CELL / 2, top - 0.04, heading, ha="center", va="bottom")
    for row in rows:
        middle = top + row.height / 2
        sheet.write(_CAPTION - 0.06, middle, _wrap(row.caption), ha="right", va="center")
        size = round(_CELL * _DPI), round(row.height * _DPI)
        image = np.asarray(Image.fromarray(row.image).resize(size, Image.Resampling.BILINEAR))
        grades = [] if row.mask is None else outlines(row.mask)
        for left, method in zip(lefts, [None, *block.methods], strict=True):
            heat = row.maps.get(method) if method else None
            if method and heat is None:
                continue
            sheet.paste(left, top, image if heat is None else _heated(image, heat))
            sheet.outline(left, top, row.height, grades)
            if method and method in row.scores:
                _write_score(sheet, left, top + row.height, row.scores[method])
        top += row.height + _GAP
    return top


def _write_score(sheet: _Sheet, left: float, bottom: float, score: float) -> None:
    edge = [Stroke(linewidth=1.6, foreground="black"), Normal()]
    text = f"{score:.2f}"
    sheet.write(left + 0.05, bottom - 0.05, text, color="white", va="bottom", path_effects=edge)


def _heated(image: NDArray[np.uint8], heat: NDArray[np.float32]) -> NDArray[np.uint8]:
    shown = Image.fromarray(np.clip(np.nan_to_num(heat), 0, 1).astype(np.float32))
    size = image.shape[1], image.shape[0]
    return overlay(image, np.asarray(shown.resize(size, Image.Resampling.BILINEAR)).clip(0, 1))


def _wrap(text: str) -> str:
    return "\n".join(textwrap.fill(line, 22) for line in text.split("\n"))


def _draw_scale(sheet: _Sheet, top: float, outlined: bool) -> None:
    """Show what each heat looks like over mid gray."""
    left = _CAPTION + _CELL + _GAP
    size = round(_BAR * _DPI), round(_CELL * _DPI)
    heat = np.broadcast_to(np.linspace(0, 1, size[1], dtype=np.float32), size)
    sheet.paste(left, top, overlay(np.full((*size, 3), 128, np.uint8), heat))
    for share in (0, 1):
        place = left + share * _CELL
        sheet.write(place, top + _BAR + 0.01, str(share), ha="center", va="top", size=_FONT - 1.5)
    # On the left, where the images are: with a single method there is no room on the right.
    text = f"{'line: mask    ' if outlined else ''}saliency"
    sheet.write(left - 0.1, top + _BAR / 2, text, ha="right", va="center", size=_FONT - 0.5)
