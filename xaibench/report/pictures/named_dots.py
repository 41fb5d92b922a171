"""Scatter plots whose dots are rows: each named at its dot, or numbered with a key beside."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from xaibench.report.pictures.drawing import DIM, FONT, Floats
from xaibench.report.pictures.placement import place_labels
from xaibench.report.pictures.shown_rows import ShownRow

_POINTS = 72  # of an inch
# Rows, and letters of a label, up to which labels are at their dots; else these are numbered.
_FEW, _SHORT = 8, 24
_LINE = 0.15
_NEAR = 9  # points up to which a label needs no line to its dot
_LEAD = {"arrowstyle": "-", "linewidth": 0.4, "color": DIM, "shrinkA": 0, "shrinkB": 2}


def name_dots(
    axes: Axes,
    lines: Sequence[ShownRow],
    dots: tuple[Floats, Floats],
    sheet: tuple[float, float],
    bold: Sequence[int] = (),
) -> None:
    """Write each row's name at its dot, or a number and what it stands for where they are many.

    Args:
        axes: with its scales set.
        lines: the rows.
        dots: where they are, ``(N,)`` for each axis.
        sheet: width and height of the axes in inches.
        bold: places of rows whose names stand out in the key.
    """
    few = len(lines) <= _FEW and all(len(line.label) <= _SHORT for line in lines)
    texts = [line.folded if few else str(at + 1) for at, line in enumerate(lines)]
    _write_labels(axes, texts, np.stack(dots, axis=1), sheet)
    if not few:
        _write_key(axes, lines, sheet, bold)


def _write_labels(
    axes: Axes, texts: Sequence[str], places: Floats, sheet: tuple[float, float]
) -> None:
    per_point = axes.figure.dpi / _POINTS
    axes.autoscale(False)
    points = axes.transData.transform(places) / per_point
    sizes = []
    for text in texts:
        tried = axes.text(0, 0, text, size=FONT - 1)
        box = tried.get_window_extent()
        sizes.append((box.width / per_point + 2, box.height / per_point + 1))
        tried.remove()
    steps = place_labels(points, np.array(sizes), [side * _POINTS for side in sheet]) - points
    gaps = np.hypot(*np.maximum(np.abs(steps) - np.array(sizes) / 2, 0).T)
    for at, text in enumerate(texts):
        axes.annotate(
            text,
            tuple(places[at]),
            tuple(steps[at]),
            textcoords="offset points",
            ha="center",
            va="center",
            size=FONT - 1,
            zorder=4,
            arrowprops=_LEAD if gaps[at] > _NEAR else None,
        )


def _write_key(
    axes: Axes, lines: Sequence[ShownRow], sheet: tuple[float, float], bold: Sequence[int]
) -> None:
    """Write what the numbers stand for."""
    width, height = sheet
    depth = 0.0
    for at, line in enumerate(lines):
        axes.text(
            1 + 0.22 / width,
            1 - depth / height,
            str(at + 1),
            ha="right",
            va="top",
            size=FONT - 1,
            transform=axes.transAxes,
        )
        axes.text(
            1 + 0.3 / width,
            1 - depth / height,
            line.folded,
            va="top",
            size=FONT - 1,
            weight="bold" if at in bold else "normal",
            transform=axes.transAxes,
        )
        depth += _LINE * (1 + line.folded.count("\n"))
