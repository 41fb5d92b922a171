"""Minutes of annotation against scores: the Pareto front, and the budget curves."""

import numpy as np
from matplotlib.axes import Axes

from xaibench.report.facts.traits import header
from xaibench.report.judging.frontier import Frontier
from xaibench.report.pictures.drawing import (
    COLORS,
    DIM,
    ORIGINS,
    Drawing,
    bar_ends,
    legend_below,
    new_axes,
    styled,
)
from xaibench.results.records import RunRecord
from xaibench.stats.budget_curve import Curves

_WIDTH, _HEIGHT = 4.6, 3.4


@styled
def draw_frontier(found: Frontier, run: RunRecord, title: str) -> Drawing:
    """Draw all rows of a study by the minutes that their annotation took.

    Rows on the front are filled and joined. A post-hoc row of a network that saw masks is where
    these put it.
    """
    table = found.rows
    figure, axes = new_axes(_WIDTH, _HEIGHT)
    axes.set(xlabel="minutes of annotation", ylabel=header(run, found.metric))
    values, minutes = table["value"].to_numpy(), table["minutes"].to_numpy()
    ends = bar_ends(values, table["low"].to_numpy(), table["high"].to_numpy())
    axes.errorbar(minutes, values, yerr=ends, fmt="none", ecolor=DIM, elinewidth=0.7, alpha=0.6)
    for kind, (shape, color) in ORIGINS.items():
        mine = (table["origin"] == kind).to_numpy()
        for front in (False, True):
            chosen = mine & (table["on_front"].to_numpy() == front)
            if chosen.any():
                axes.plot(
                    minutes[chosen], values[chosen], shape, color=color, markersize=5, zorder=3,
                    markerfacecolor=color if front else "none",
                    label=f"{kind}, on the front" if front else kind,
                )  # fmt: skip
    best = table[table["on_front"]].sort_values("minutes")
    axes.plot(
        best["minutes"], best["value"], color=COLORS[9], linewidth=1, drawstyle="steps-post",
        label="front",
    )  # fmt: skip
    _draw_curves(axes, found)
    axes.grid()
    legend_below(axes, _HEIGHT, 2)
    names = ", ".join(
        f"{line['method']} on {line['model']} at {line['level']}"
        for line in best.to_dict("records")
    )
    return Drawing(
        figure,
        f"Minutes of annotation against {header(run, found.metric)}, {title}, with 95 % intervals; "
        "filled and joined: no other row is as cheap and as good.",
        f"Scatter plot of {len(table)} rows; on the front: {names}.",
    )


def _draw_curves(axes: Axes, found: Frontier) -> None:
    for line in found.curves.to_dict("records"):
        mine = found.rows[
            (found.rows["model"] == line["model"])
            & (found.rows["method"] == line["method"])
            & (found.rows["annotated"] > 0)
        ]
        curve = Curves(*(np.array([line[name]]) for name in ("ceiling", "scale", "power")))
        budgets = np.geomspace(line["fewest"], line["most"], 60)
        slope, start = np.polyfit(mine["annotated"], mine["minutes"], 1)
        scores = [float(curve.at(budget)[0]) for budget in budgets]
        axes.plot(start + slope * budgets, scores, color=DIM, linewidth=0.8, linestyle="--")
