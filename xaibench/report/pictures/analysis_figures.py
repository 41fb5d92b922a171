"""Figures of analyses, drawn from their tables."""

import textwrap
from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.patheffects import Normal, Stroke
from matplotlib.ticker import MaxNLocator

from xaibench.core.findings import IMAGES, Histogram, Lines, PictureRows, Scatter
from xaibench.report.judging.analyses import Analysis
from xaibench.report.pictures.clouds import clouds_of
from xaibench.report.pictures.drawing import (
    COLORS,
    DIM,
    FONT,
    SHAPES,
    new_figure,
    save_figure,
    styled,
)
from xaibench.report.pictures.restored import read_pixels
from xaibench.report.pictures.shown_rows import fold

_SMALLEST, _LARGEST, _AREA = 4.0, 18.0, 9000.0
_NARROWEST = 0.1
_PLANE, _SPACE, _WIDE, _SQUARE = (5.6, 4.4), (6.4, 5.0), (5.6, 3.5), (4.4, 4.2)
_LONGEST_LEGEND, _LETTERS_PER_INCH = 20, 12
# Of pictures: inches, and letters of a sample's name.
_COLUMN, _NAMES, _HEAD, _LONGEST = 1.1, 1.6, 0.8, 24
# Of the key to colors: inches of a line, and entries in one.
_LINE, _KEYS = 0.2, 3


@styled
def draw_figures(analysis: Analysis) -> None:
    """Draw an analysis' figures beside its tables, each as PNG and SVG."""
    for figure in analysis.about.figures:
        drawn = _DRAWN[type(figure)](analysis, figure)
        save_figure(drawn, analysis.folder, figure.name)


def _scatter(analysis: Analysis, figure: Scatter) -> Figure:
    flat = len(figure.columns) == 2  # noqa: PLR2004
    drawn, axes = _sheet(analysis, figure.title, _PLANE if flat else _SPACE, None if flat else "3d")
    clouds = clouds_of(analysis, figure)
    count = sum(len(cloud.points) for cloud in clouds)
    size = float(np.clip(_AREA / max(count, 1), _SMALLEST, _LARGEST))
    for name, points, color, shape in clouds:
        # As thousands of vectors no viewer opens them.
        axes.scatter(
            *points.T,
            s=size,
            color=color,
            marker=shape,
            label=name,
            alpha=0.75,
            linewidth=0,
            rasterized=True,
        )
        text = axes.text(
            *np.median(points, axis=0),
            name,
            size=FONT,
            ha="center",
            va="center",
            weight="bold",
            zorder=9,
        )
        text.set_path_effects([Stroke(linewidth=2.2, foreground="white"), Normal()])
    for name, axis in zip(figure.columns, "xyz", strict=False):
        getattr(axes, f"set_{axis}label")(name)
    if len(clouds) <= _LONGEST_LEGEND:
        legend = drawn.legend(loc="outside right upper")
        for handle in legend.legend_handles:
            cast(Any, handle).set(sizes=[24], alpha=1)
    return drawn


def _lines(analysis: Analysis, figure: Lines) -> Figure:
    table = analysis.table(figure.table)
    drawn, axes = _sheet(analysis, figure.title, _SQUARE if figure.chance else _WIDE)
    several = len(figure.y) > 1
    for color, shape, name in zip(COLORS, SHAPES, figure.y, strict=False):
        marked = "" if figure.chance else shape
        axes.plot(
            table[figure.x],
            table[name],
            marker=marked,
            color=color,
            markersize=3.5,
            linewidth=1.4,
            label=name.replace("_", " "),
        )
    if figure.chance:
        axes.plot([0, 1], [0, 1], ":", color=DIM, linewidth=1, label="chance")
        axes.set_aspect("equal")
    else:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        # Steps of a thousandth must not look like cliffs.
        low, high = axes.get_ylim()
        axes.set_ylim(min(low, high - _NARROWEST), high)
    axes.set_xlabel(figure.x.replace("_", " "))
    axes.set_ylabel(figure.y_label)
    if several or figure.chance:
        axes.legend(loc="lower right" if figure.chance else "best")
    return drawn


def _histogram(analysis: Analysis, figure: Histogram) -> Figure:
    images = analysis.table(IMAGES).dropna(subset=figure.column)
    drawn, axes = _sheet(analysis, figure.title, _WIDE)
    values = images[figure.column].to_numpy(float)
    edges = np.histogram_bin_edges(values, bins="doane")
    kinds = sorted(set(images[figure.by].to_list()))
    styles = zip(kinds, COLORS, "/\\x.", strict=False)
    for kind, color, hatch in styles:
        chosen = values[(images[figure.by] == kind).to_numpy()]
        axes.hist(
            chosen,
            edges,
            color=to_rgba(color, 0.35),
            edgecolor=color,
            hatch=3 * hatch,
            histtype="stepfilled",
            linewidth=1.2,
            density=True,
            label=f"{kind} (n = {len(chosen)})",
        )
    axes.axvline(figure.mark, color="black", linestyle="--", linewidth=1.1, label=figure.mark_label)
    axes.set_xlabel(figure.column)
    axes.set_ylabel("density")
    axes.legend()
    return drawn


def _pictures(analysis: Analysis, figure: PictureRows) -> Figure:
    parts = read_pixels(analysis, figure)
    rows, columns, side = parts.shape[:3]
    lines = -(-len(figure.key) // _KEYS)
    size = _COLUMN * len(figure.headings) + _NAMES, _COLUMN * rows + _HEAD + _LINE * lines
    drawn, axes = _sheet(analysis, figure.title, size)
    joined = parts.swapaxes(1, 2).reshape(rows * side, columns * side, -1)
    axes.imshow(joined, interpolation="nearest")
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, labeltop=True, labelbottom=False)
    axes.set_xticks((np.arange(len(figure.headings)) + 0.5) * side, figure.headings)
    samples = figure.rows or analysis.table(IMAGES)["sample"][:rows]
    axes.set_yticks((np.arange(rows) + 0.5) * side, [_folded(name) for name in samples])
    if figure.key:
        patches = [Patch(facecolor=c, edgecolor=DIM, label=n) for n, c in figure.key.items()]
        drawn.legend(handles=patches, loc="outside lower center", ncols=_KEYS)
    return drawn


def _folded(name: str) -> str:
    return "\n".join(fold(line, _LONGEST) for line in name.split("\n"))


def _sheet(
    analysis: Analysis, title: str, size: tuple[float, float], projection: str | None = None
) -> tuple[Figure, Any]:
    drawn = new_figure(size, layout="constrained")
    axes = drawn.add_subplot(projection=projection)
    place = analysis.place
    whose = f"{place.model} on {place.dataset}, {place.fold_name}, seed {place.seed}"
    drawn.suptitle(title, size=FONT + 1)
    axes.set_title(textwrap.fill(whose, round(_LETTERS_PER_INCH * size[0])), size=FONT - 1)
    axes.grid()
    return drawn, axes


_DRAWN: Mapping[type, Callable[[Analysis, Any], Figure]] = {
    Scatter: _scatter,
    Lines: _lines,
    Histogram: _histogram,
    PictureRows: _pictures,
}
