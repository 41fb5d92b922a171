"""What a map costs against how good it is, with the rows that nothing beats in both."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from xaibench.report.facts.section import Floats
from xaibench.report.facts.traits import header
from xaibench.report.judging.chapter import Chapter
from xaibench.report.pictures.drawing import (
    COLOURS,
    DIM,
    FONT,
    KINDS,
    Drawing,
    bar_ends,
    legend_below,
    new_axes,
    styled,
)
from xaibench.report.pictures.placement import place_labels
from xaibench.report.pictures.shown_rows import (
    ShownRow,
    competing,
    counted,
    value_of,
)
from xaibench.results.records import RunRecord
from xaibench.results.tables import COSTS

_WIDTH, _HEIGHT = 4.6, 3.4
_POINTS = 72  # of an inch
# Rows, and letters of a label, up to which labels stand at their dots; else these are numbered.
_FEW, _SHORT = 8, 24
_LINE = 0.15
_DECADE = 10
_NEAR = 9  # points up to which a label needs no line to its dot
_LEAD = {"arrowstyle": "-", "linewidth": 0.4, "color": DIM, "shrinkA": 0, "shrinkB": 2}


@styled
def draw_cost(chapter: Chapter, run: RunRecord, metric: str) -> Drawing | None:
    """Draw seconds per image, on a log scale, against means and 95 % intervals of a metric.

    Rows on the Pareto front are filled and joined: no other is both cheaper and better.

    None with fewer than two rows whose cost is known.
    """
    seconds = np.array([row.cost(COSTS[0]) for row in chapter.board])
    lines = [line for line in competing(chapter, run, metric) if seconds[line.place] > 0]
    if len(lines) < 2:  # noqa: PLR2004
        return None
    places = [line.place for line in lines]
    found, cost = chapter.judged[metric], seconds[places]
    values = found.mean[places]
    front = pareto_front(cost, run.metrics[metric].sign * values)
    figure, axes = new_axes(_WIDTH, _HEIGHT)
    axes.set(xscale="log", xlabel="seconds per image", ylabel=header(run, metric))
    ends = bar_ends(values, found.low[places], found.high[places])
    axes.errorbar(cost, values, yerr=ends, fmt="none", ecolor=DIM, elinewidth=0.7, alpha=0.6)
    # What a budget buys: the best that costs no more.
    axes.plot(
        cost[front],
        values[front],
        color=COLOURS[2],
        linewidth=1.2,
        label="Pareto front",
        drawstyle="steps-post",
    )
    for at, line in enumerate(lines):
        shape, colour = KINDS[line.kind]
        axes.plot(
            cost[at],
            values[at],
            shape,
            color=colour,
            markersize=5,
            zorder=3,
            markerfacecolor=colour if at in front else "none",
        )
    _scale(axes)
    few = len(lines) <= _FEW and all(len(line.label) <= _SHORT for line in lines)
    texts = [line.folded if few else str(at + 1) for at, line in enumerate(lines)]
    _write_labels(axes, texts, cost, values)
    if not few:
        _write_key(axes, lines, front)
    legend_below(axes, _HEIGHT, 1)
    best, cheapest = lines[front[-1]], lines[front[0]]
    return Drawing(
        figure,
        f"Seconds per image against {header(run, metric)} on {chapter.section.title}, with 95 % "
        "intervals; filled and joined: no other row is as cheap and as good.",
        f"Scatter plot of {len(lines)} rows, {cost.min():.2g} to {cost.max():.2g} seconds per "
        f"image: the front runs from {cheapest.label}, {cost[front[0]]:.2g} s and "
        f"{value_of(chapter, metric, cheapest.place)}, to {best.label}, {cost[front[-1]]:.2g} "
        f"s and {value_of(chapter, metric, best.place)}, over {counted(len(front), 'row')}.",
    )


def pareto_front(cost: Floats, gain: Floats) -> list[int]:
    """Return the places that no other beats: one as cheap and as good, and in one of both better.

    The cheapest stands first.

    >>> pareto_front(np.array([1.0, 2.0, 2.0, 3.0]), np.array([0.2, 0.5, 0.4, 0.5]))
    [0, 1]
    """
    better = (cost[None] <= cost[:, None]) & (gain[None] >= gain[:, None])
    strictly = (cost[None] < cost[:, None]) | (gain[None] > gain[:, None])
    free = np.flatnonzero(~(better & strictly).any(axis=1))
    return [int(at) for at in free[np.lexsort((gain[free], cost[free]))]]


def _scale(axes: Axes) -> None:
    """Name costs in plain numbers, and more of them where all are of one size."""
    low, high = axes.get_xlim()
    several = (1.0,) if high / low > _DECADE**2 else (1.0, 2.0, 5.0)
    axes.xaxis.set_major_locator(LogLocator(subs=several))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.grid()


def _write_labels(axes: Axes, texts: Sequence[str], cost: Floats, values: Floats) -> None:
    per_point = axes.figure.dpi / _POINTS
    axes.autoscale(False)
    points = axes.transData.transform(np.stack([cost, values], axis=1)) / per_point
    sizes = []
    for text in texts:
        tried = axes.text(0, 0, text, size=FONT - 1)
        box = tried.get_window_extent()
        sizes.append((box.width / per_point + 2, box.height / per_point + 1))
        tried.remove()
    steps = place_labels(points, np.array(sizes), (_WIDTH * _POINTS, _HEIGHT * _POINTS)) - points
    gaps = np.hypot(*np.maximum(np.abs(steps) - np.array(sizes) / 2, 0).T)
    for at, text in enumerate(texts):
        axes.annotate(
            text,
            (cost[at], values[at]),
            tuple(steps[at]),
            textcoords="offset points",
            ha="center",
            va="center",
            size=FONT - 1,
            zorder=4,
            arrowprops=_LEAD if gaps[at] > _NEAR else None,
        )


def _write_key(axes: Axes, lines: Sequence[ShownRow], front: Sequence[int]) -> None:
    """Write what the numbers stand for, those of the front in bold."""
    depth = 0.0
    for at, line in enumerate(lines):
        axes.text(
            1 + 0.22 / _WIDTH,
            1 - depth / _HEIGHT,
            str(at + 1),
            ha="right",
            va="top",
            size=FONT - 1,
            transform=axes.transAxes,
        )
        axes.text(
            1 + 0.3 / _WIDTH,
            1 - depth / _HEIGHT,
            line.folded,
            va="top",
            size=FONT - 1,
            weight="bold" if at in front else "normal",
            transform=axes.transAxes,
        )
        depth += _LINE * (1 + line.folded.count("\n"))
