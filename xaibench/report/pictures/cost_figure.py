"""What a map costs against how good it is, with the rows that nothing beats in both."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from xaibench.report.facts.traits import header
from xaibench.report.judging.chapter import Chapter
from xaibench.report.pictures.drawing import (
    COLORS,
    DIM,
    KINDS,
    Drawing,
    bar_ends,
    legend_below,
    new_axes,
    styled,
)
from xaibench.report.pictures.named_dots import name_dots
from xaibench.report.pictures.shown_rows import competing, counted, value_of
from xaibench.results.records import RunRecord
from xaibench.results.tables import COSTS
from xaibench.stats.pareto import pareto_front

_WIDTH, _HEIGHT = 4.6, 3.4
_DECADE = 10


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
        color=COLORS[2],
        linewidth=1.2,
        label="Pareto front",
        drawstyle="steps-post",
    )
    for at, line in enumerate(lines):
        shape, color = KINDS[line.kind]
        axes.plot(
            cost[at],
            values[at],
            shape,
            color=color,
            markersize=5,
            zorder=3,
            markerfacecolor=color if at in front else "none",
        )
    _scale(axes)
    name_dots(axes, lines, (cost, values), (_WIDTH, _HEIGHT), bold=front)
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


def _scale(axes: Axes) -> None:
    """Name costs in plain numbers, and more of them where all are of one size."""
    low, high = axes.get_xlim()
    several = (1.0,) if high / low > _DECADE**2 else (1.0, 2.0, 5.0)
    axes.xaxis.set_major_locator(LogLocator(subs=several))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.grid()
