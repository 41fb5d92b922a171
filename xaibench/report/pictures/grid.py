"""Heat maps in a grid."""

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import Normal, Stroke
from numpy.typing import NDArray

from xaibench.report.pictures.drawing import new_figure

# Inches. Cells are placed by hand, because matplotlib's layouts leave wide gaps round pictures.
_CELL, _GAP, _CAPTION, _LINE, _MARGIN = 1.5, 0.05, 1.5, 0.13, 0.08
_TALLEST, _BAR = 1.5, 0.09
_FONT, _DPI = 7.5, 200
# Dozens of methods give a wide sheet, which viewers still have to open.
_WIDEST = 8000
# Inferno has no green and no blue: the outline can't be taken for heat.
COLOURS, _OUTLINE, OPAQUE = "inferno", "#2ee6ff", 0.8


class GridRow(NamedTuple):
    """One image and its maps: ``(H, W, 3)`` uint8, ``(H, W)`` int8 or None, ``(H, W)`` in [0, 1].

    The caption stands at the left; it may have several lines.
    """

    caption: str
    image: NDArray[np.uint8]
    mask: NDArray[np.int8] | None
    maps: dict[str, NDArray[np.float32]]


class _Sheet:
    """A page measured in inches from its top left corner."""

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        dpi = min(_DPI, _WIDEST / width)
        self.figure = new_figure((width, height), dpi)

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        bottom = self.height - top - height
        return self.figure.add_axes(
            (left / self.width, bottom / self.height, width / self.width, height / self.height)
        )

    def write(self, left: float, top: float, text: str, **style: Any) -> None:
        place = left / self.width, 1 - top / self.height
        self.figure.text(*place, text, parse_math=False, **{"size": _FONT, **style})


def draw_grid(rows: Sequence[GridRow], path: Path, title: str = "") -> None:
    """Save a PNG: a row for each image, a column for each method, the mask outlined everywhere.

    The more relevant a pixel, the more opaque its heat. A method without a map for an image leaves
    its cell empty. A layered mask is outlined at every positive grade.

    Raises:
        ValueError: there are no rows.
    """
    if not rows:
        raise ValueError("draw_grid needs at least one row.")
    methods = list(dict.fromkeys(method for row in rows for method in row.maps))
    # Long specs break before their options and between them.
    headings = [_wrap(name.replace("[", "\n[").replace(",", ", ")) for name in ["image", *methods]]
    head = _MARGIN + _LINE * max(heading.count("\n") + 1 for heading in headings)
    head += 1.6 * _LINE if title else 0
    tall = [_CELL * min(row.image.shape[0] / row.image.shape[1], _TALLEST) for row in rows]
    foot = 3 * _LINE if methods else _MARGIN
    sheet = _Sheet(
        _CAPTION + len(headings) * (_CELL + _GAP) + _MARGIN,
        head + sum(tall) + _GAP * len(rows) + foot,
    )
    sheet.write(_CAPTION, _MARGIN, title, va="top", size=_FONT + 2, weight="bold")
    lefts = [_CAPTION + column * (_CELL + _GAP) for column in range(len(headings))]
    for left, heading in zip(lefts, headings, strict=True):
        sheet.write(left + _CELL / 2, head - 0.04, heading, ha="center", va="bottom")
    top = head
    for row, height in zip(rows, tall, strict=True):
        sheet.write(_CAPTION - 0.06, top + height / 2, _wrap(row.caption), ha="right", va="center")
        _draw_cell(sheet.axes(lefts[0], top, _CELL, height), row, None)
        for left, method in zip(lefts[1:], methods, strict=True):
            if method in row.maps:
                _draw_cell(sheet.axes(left, top, _CELL, height), row, row.maps[method])
        top += height + _GAP
    if methods:
        outlined = any(row.mask is not None for row in rows)
        _draw_scale(sheet, lefts[1], top + 0.6 * _LINE, outlined=outlined)
    sheet.figure.savefig(path, format="png")


def _draw_cell(axes: Axes, row: GridRow, heat: NDArray[np.float32] | None) -> None:
    rows, columns = row.image.shape[:2]
    place = (-0.5, columns - 0.5, rows - 0.5, -0.5)
    axes.imshow(row.image, extent=place, interpolation="antialiased")
    if heat is not None:
        shown = np.clip(np.nan_to_num(heat), 0, 1)
        axes.imshow(
            shown,
            cmap=COLOURS,
            vmin=0,
            vmax=1,
            alpha=OPAQUE * shown,
            extent=place,
            interpolation="nearest",
        )
    if row.mask is not None:
        _outline(axes, row.mask)
    axes.set_axis_off()
    axes.set_xlim(place[:2])
    axes.set_ylim(place[2:])


def _outline(axes: Axes, mask: NDArray[np.int8]) -> None:
    # The border of zeros closes outlines that meet the image's edge.
    padded = np.pad(mask, 1)
    ys, xs = (np.arange(-1, size + 1) for size in mask.shape)
    grades = [int(grade) for grade in np.unique(mask) if grade > 0]
    for grade in grades:
        width = 1.1 if grade == grades[-1] else 0.6
        halo = [Stroke(linewidth=width + 0.9, foreground="black"), Normal()]
        lines = axes.contour(
            xs, ys, (padded >= grade).astype(float), [0.5], colors=_OUTLINE, linewidths=width
        )
        lines.set_path_effects(halo)


def _wrap(text: str) -> str:
    return "\n".join(textwrap.fill(line, 22) for line in text.split("\n"))


def _draw_scale(sheet: _Sheet, left: float, top: float, *, outlined: bool) -> None:
    """Show what each heat looks like over mid grey."""
    heat = np.linspace(0, 1, 256)[None]
    axes = sheet.axes(left, top, _CELL, _BAR)
    axes.imshow(np.full((1, 256, 3), 128, np.uint8), aspect="auto")
    axes.imshow(heat, cmap=COLOURS, alpha=OPAQUE * heat, aspect="auto")
    axes.set_xticks([0, 255], ["0", "1"])
    axes.set_yticks([])
    axes.tick_params(length=0, pad=1, labelsize=_FONT - 1.5)
    axes.spines[:].set_visible(False)
    # On the left, where the images stand: with a single method there is no room on the right.
    text = f"{'line: mask    ' if outlined else ''}saliency"
    sheet.write(left - 0.1, top + _BAR / 2, text, ha="right", va="center", size=_FONT - 0.5)
