"""A network as a row of blocks: as high as its maps, as thick as they are many."""

from collections.abc import Mapping, Sequence
from math import log2, sqrt
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import Patch, Polygon

from xaibench.core.passes.layer_rows import LayerRow, stages
from xaibench.report.pictures.drawing import COLORS, FONT, new_axes, save_figure, styled

_MOST, _MAP = 36, 3
# Inches: the height of the input, the room between blocks, and of each doubling of the channels.
_TALL, _GAP, _THICK = 1.5, 0.24, 0.035
_FLAT, _SMALLEST, _LETTER = 0.09, 0.07, 0.055
# A block's side goes up and to the right.
_SLANT = (0.22, 0.16)
_LIGHTER = {"front": 0.25, "side": 0.0, "top": 0.5}


@styled
def draw_architecture(rows: Sequence[LayerRow], title: str, file: Path) -> None:
    """Draw the parts of a network in the order in which they ran, as SVG and PNG.

    Of a deep network the larger parts stand for the layers in them. Parts that work beside each
    other are one behind the other.

    Raises:
        XaibenchError: the folder can't be written.
    """
    shown = stages(rows, _MOST)
    largest = max((row.shape[-1] for row in shown if row.shape and _is_map(row)), default=1)
    kinds = list(dict.fromkeys(row.kind for row in shown))
    colors = {kind: COLORS[number % len(COLORS)] for number, kind in enumerate(kinds)}
    figure, axes = new_axes(1, 1)
    right, before = 0.0, None
    for row in shown:
        right = _block(axes, row, right + _GAP, largest, colors)
        if row.shape != before:
            axes.text(right, _TALL + 0.45, _size(row), ha="right", rotation=60, size=FONT - 2)
        before = row.shape
    below = _LETTER * max((len(row.name) for row in shown), default=0) + 0.2
    above = _TALL + 0.5 + _LETTER * max((len(_size(row)) for row in shown), default=0)
    axes.text(0, above, title, size=FONT + 2)
    axes.set(xlim=(0, right + _GAP), ylim=(-below, above))
    axes.set_axis_off()
    figure.set_size_inches(right + _GAP, below + above)
    axes.legend(
        handles=[Patch(facecolor=colors[kind], label=kind) for kind in kinds],
        loc="upper left",
        bbox_to_anchor=(0, 0),
        ncols=max(int((right + _GAP) / 1.5), 1),
    )
    save_figure(figure, file.parent, file.stem)


def _block(
    axes: Axes, row: LayerRow, left: float, largest: int, colors: Mapping[str, str]
) -> float:
    """Draw one part from ``left`` on; return where it ends."""
    shape = row.shape or (1,)
    if _is_map(row):
        part = sqrt(max(shape[1:]) / largest)
        tall, depth = max(_TALL * part, _SMALLEST), part
        thick = _THICK * (1 + log2(max(shape[0], 1)))
    else:
        tall, depth, thick = _TALL * min(log2(1 + max(shape)) / 12, 1), 0.0, _FLAT
    low, right = (_TALL - tall) / 2, left + thick
    up, over = _SLANT[1] * depth, _SLANT[0] * depth
    faces = {
        "front": [(left, low), (right, low), (right, low + tall), (left, low + tall)],
        "top": [
            (left, low + tall), (right, low + tall),
            (right + over, low + tall + up), (left + over, low + tall + up),
        ],
        "side": [
            (right, low), (right + over, low + up),
            (right + over, low + tall + up), (right, low + tall),
        ],
    }  # fmt: skip
    for face, corners in faces.items():
        red, green, blue = (c + (1 - c) * _LIGHTER[face] for c in to_rgb(colors[row.kind]))
        axes.add_patch(Polygon(corners, facecolor=(red, green, blue), edgecolor="black", lw=0.4))
    axes.text(
        (left + right) / 2, -0.08, row.name, rotation=90, ha="center", va="top", size=FONT - 2
    )
    return right + over


def _is_map(row: LayerRow) -> bool:
    return row.shape is not None and len(row.shape) == _MAP


def _size(row: LayerRow) -> str:
    return " x ".join(map(str, row.shape or ()))
