"""A study as a picture: a panel for each metric and method, error bars over the levels."""

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from xaibench.report.facts.traits import header
from xaibench.report.pictures.drawing import Color, bar_ends, new_figure
from xaibench.results.records import RunRecord

_WIDTH, _HEIGHT, _ACROSS = 4.2, 3.4, 3
_FONT, _DPI = 8, 150
_APART = 0.12  # of a step, between series
_LONG = 36  # letters of all tick labels above which they are tilted


def draw_study(table: pd.DataFrame, run: RunRecord, title: str) -> Figure:
    """Return a picture, ready to be saved in any format.

    Levels are at equal distances. Series of several levels are joined; a single one, such as a
    baseline, has a dashed line across. Crossed factors are shown by their levels' means.

    Args:
        table: from `compare_arms`.
        run: what the scores mean.
        title: above all panels.
    """
    shown = table[table["kind"] == ("factor" if (table["kind"] == "factor").any() else "arm")]
    panels = list(shown.groupby(["metric", "method"], sort=False))
    across = min(len(panels), _ACROSS)
    down = -(-len(panels) // across)
    figure = new_figure((_WIDTH * across, _HEIGHT * down + 0.6), _DPI, layout="constrained")
    figure.suptitle(title, size=_FONT + 2, weight="bold", parse_math=False)
    grid = figure.subplots(down, across, squeeze=False).ravel()
    tab10 = matplotlib.colormaps["tab10"]
    colors = {name: tab10(at % 10) for at, name in enumerate(dict.fromkeys(shown["series"]))}
    for axes, ((metric, method), lines) in zip(grid, panels, strict=False):
        _draw_panel(axes, lines, colors)
        name = header(run, str(metric)) + (f" of {method}" if method else "")
        axes.set_title(name, size=_FONT + 1, parse_math=False)
    for axes in grid[len(panels) :]:
        axes.set_axis_off()
    figure.legend(
        [Line2D([], [], color=color, marker="o") for color in colors.values()],
        list(colors),
        loc="outside lower center",
        ncols=across,
        frameon=False,
        fontsize=_FONT,
    )
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    return figure


def _draw_panel(axes: Axes, lines: pd.DataFrame, colors: dict[str, Color]) -> None:
    crossed = bool((lines["kind"] == "factor").all())
    # Levels of different factors never share a place, even where they have one name.
    keys = list(zip(lines["series"] if crossed else [""] * len(lines), lines["level"], strict=True))
    ticks = list(dict.fromkeys(keys))
    place = np.array([ticks.index(key) for key in keys], float)
    for number, (series, color) in enumerate(colors.items()):
        mine = (lines["series"] == series).to_numpy()
        if not mine.any():
            continue
        shift = 0 if crossed else _APART * (number - (len(colors) - 1) / 2)
        value, low, high = (lines.loc[mine, name].to_numpy() for name in ("value", "low", "high"))
        ends = bar_ends(value, low, high)
        style = "o" if crossed or len(value) == 1 else "o-"
        axes.errorbar(
            place[mine] + shift,
            value,
            yerr=ends,
            fmt=style,
            capsize=3,
            markersize=4.5,
            linewidth=1.3,
            color=color,
        )
        if not crossed and len(value) == 1:
            axes.axhline(value[0], color=color, linestyle="--", linewidth=0.8)
    texts = [level for _, level in ticks]
    tilted = sum(map(len, texts)) > _LONG
    axes.set_xticks(
        range(len(ticks)), texts, rotation=40 if tilted else 0, ha="right" if tilted else "center"
    )
    axes.tick_params(labelsize=_FONT)
    axes.grid(axis="y", alpha=0.25, linewidth=0.5)
    axes.spines[["top", "right"]].set_visible(False)
