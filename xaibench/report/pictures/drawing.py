"""What all figures have in common. Nothing here touches pyplot's state."""

import re
from pathlib import Path
from typing import Any, Literal, NamedTuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from seaborn.utils import relative_luminance

from xaibench.core.store import replacing
from xaibench.core.visible import visible
from xaibench.report.pictures.fonts import FAMILY, complete_fonts

Floats = NDArray[np.float64]
Color = tuple[float, float, float, float]
DPI = 300
# Colors that color-blind readers can distinguish, and shapes that need no color.
COLORS = (
    "#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#999933", "#882255",
    "#332288", "#000000",
)  # fmt: skip
SHAPES = "osD^vP*X<"
# A page may be light or dark: the background is gray, what is black takes the page's own ink.
INK, DIM = "#000000", "#808080"
KINDS = {"method": ("o", COLORS[0]), "learned": ("s", COLORS[3]), "control": ("D", DIM)}
ORIGINS = {
    "post-hoc": ("o", COLORS[0]),
    "inherent": ("^", COLORS[2]),
    "learned": ("s", COLORS[3]),
}
FONT = 8.0
_STYLE: Any = {
    # Nobody's own settings show.
    **dict.fromkeys(
        ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), INK
    ),
    "lines.linewidth": 1.1,
    "font.family": "sans-serif",
    "font.sans-serif": [FAMILY],
    "font.size": FONT,
    "axes.labelsize": FONT,
    "xtick.labelsize": FONT - 0.5,
    "ytick.labelsize": FONT - 0.5,
    "legend.fontsize": FONT - 0.5,
    "legend.frameon": False,
    "text.parse_math": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.axisbelow": True,
    "grid.color": DIM,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "svg.fonttype": "none",
}
# Not quite black, which a page would change. The same contrast to white and to that dark.
_DARK, _MIDDLE = "#111111", 0.19
_PLAIN: dict[str, Any] = dict.fromkeys(("Date", "Creator", "Format", "Type"))
_FAST: dict[str, Any] = {"compress_level": 2}
_RESOLUTION = {"png": DPI, "svg": 100}  # of an SVG: only of what is no vector

styled = matplotlib.rc_context(_STYLE)
"""Decorates a function that draws a `Drawing`."""


class Drawing(NamedTuple):
    """A figure, the first sentence of its caption, and what it shows in words and numbers."""

    figure: Figure
    title: str
    alt: str


def new_figure(
    size: tuple[float, float], dpi: float = DPI, layout: Literal["constrained"] | None = None
) -> Figure:
    """Return a white sheet of a width and a height in inches."""
    figure = Figure(figsize=size, dpi=dpi, facecolor="white", layout=layout)
    FigureCanvasAgg(figure)
    return figure


def new_axes(width: float, height: float) -> tuple[Figure, Axes]:
    """Return a figure and axes of a size in inches; labels find their place outside of it."""
    figure = new_figure((width, height))
    return figure, figure.add_axes((0, 0, 1, 1))


def bar_ends(values: Floats, low: Floats, high: Floats) -> Floats:
    """Return how far error bars reach to either side, ``(2, N)``; nowhere without an interval."""
    return np.nan_to_num(np.stack([values - low, high - values])).clip(0)


def legend_below(axes: Axes, height: float, columns: int, gap: float = 0.45, **given: Any) -> None:
    """Put a legend so many inches below axes of a height in inches."""
    axes.legend(
        loc="upper left",
        bbox_to_anchor=(0, -gap / height),
        ncols=columns,
        borderaxespad=0,
        borderpad=0,
        columnspacing=1.5,
        **given,
    )


def set_off_numbers(axes: Axes) -> None:
    """Write each number of a heat map in whichever of dark and white is the clearer on its cell."""
    cells: Any = axes.collections[0]
    shades = cells.get_facecolors()[~np.ma.getmaskarray(cells.get_array()).ravel()]
    for text, shade in zip(axes.texts, shades, strict=False):  # a large map has no numbers
        text.set_color(_DARK if relative_luminance(shade) > _MIDDLE else "white")


def save_picture(figure: Figure, file: Path) -> None:
    """Save a figure as a PNG file; the sheet grows round what is outside of it.

    Raises:
        XaibenchError: the folder can't be written.
    """
    with matplotlib.rc_context(_STYLE), replacing(file) as path:
        figure.savefig(path, format="png", dpi=_RESOLUTION["png"], bbox_inches=_bounds(figure))


def save_figure(figure: Figure, folder: Path, name: str) -> None:
    """Save a figure as PNG, and as SVG without a background; the same figure is the same bytes.

    Nothing is cut off: the sheet grows round what is outside of it. The SVG's texts are texts.

    Raises:
        XaibenchError: the folder can't be written.
    """
    # The salt: else an SVG holds random names.
    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": name}):
        whole = _bounds(figure)
        for ending, dpi in _RESOLUTION.items():
            vector = ending == "svg"
            with replacing(folder / f"{name}.{ending}") as path:
                options: Any = {"metadata": _PLAIN} if vector else {"pil_kwargs": _FAST}
                figure.savefig(
                    path, format=ending, dpi=dpi, bbox_inches=whole, transparent=vector, **options
                )
                if vector:
                    path.write_text(visible(_plain(path.read_text("utf-8"))), "utf-8")


def _bounds(figure: Figure) -> Any:
    """Return what a figure takes, with what is outside of its sheet, once all letters are there."""
    if figure.get_layout_engine() is not None:  # else its places are not those it will have
        figure.draw_without_rendering()
    whole = figure.get_tightbbox()
    if complete_fonts(figure):
        whole = figure.get_tightbbox()
    return whole.padded(0.05)


def _plain(svg: str) -> str:
    """Leave nothing in an SVG that disturbs a page or other SVGs in the same page."""
    svg = svg.replace(f"'{FAMILY}', ", "")
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)
    # A hundredth of a point is less than any printer shows.
    svg = re.sub(r' d="[^"]*"', lambda path: re.sub(r"(\.\d\d)\d+", r"\1", path[0]), svg)
    svg = re.sub(r"\s*<defs>\s*<style[^>]*>.*?</style>\s*</defs>", "", svg)
    return svg.replace("<svg ", '<svg stroke-linejoin="round" stroke-linecap="butt" ', 1)
