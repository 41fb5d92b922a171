"""Whether metrics agree: Kendall's tau of each pair as a heat map."""

import numpy as np
import pandas as pd
import seaborn

from xaibench.report.facts.traits import header
from xaibench.report.judging.chapter import Chapter
from xaibench.report.numbers import number
from xaibench.report.pictures.drawing import FONT, Drawing, new_axes, set_off_numbers, styled
from xaibench.results.records import RunRecord

_FEW = 12  # metrics up to which each cell has room for its number
_LARGE, _SMALL = 0.42, 0.22  # inches of a cell


@styled
def draw_agreement(chapter: Chapter, run: RunRecord) -> Drawing | None:
    """Draw tau of each pair of ranked metrics, a cell for each; undefined ones stay empty.

    None where no tau is defined.
    """
    known = chapter.agreement.dropna(subset="tau")
    if known.empty:
        return None
    names = [name for name in run.metrics if (known[["first", "second"]] == name).any(axis=None)]
    places = {name: at for at, name in enumerate(names)}
    tau = np.full((len(names),) * 2, np.nan)
    for first, second, value in known[["first", "second", "tau"]].itertuples(index=False):
        tau[places[second], places[first]] = value
    few = len(names) <= _FEW
    side = (_LARGE if few else _SMALL) * (len(names) - 1)
    figure, axes = new_axes(side, side)
    seaborn.heatmap(
        pd.DataFrame(tau[1:, :-1]),
        vmin=-1,
        vmax=1,
        cmap="vlag_r",
        annot=few,
        fmt=".2f",
        annot_kws={"size": FONT - 1},
        xticklabels=False,
        yticklabels=False,
        rasterized=not few,
        cbar_kws={"label": "Kendall's τ", "shrink": 0.8, "ticks": [-1, 0, 1]},
        ax=axes,
    )
    set_off_numbers(axes)
    heads = [header(run, name) for name in names]
    axes.set_xticks(
        np.arange(len(names) - 1) + 0.5, heads[:-1], rotation=40, ha="right", rotation_mode="anchor"
    )
    axes.set_yticks(np.arange(len(names) - 1) + 0.5, heads[1:], rotation=0)
    axes.tick_params(length=0)
    ends = known.sort_values("tau", kind="stable")
    low, high = ends.iloc[0], ends.iloc[-1]
    return Drawing(
        figure,
        f"Kendall's τ between the orders in which metrics put the rows of {chapter.section.title}.",
        f"Heat map of Kendall's tau between {len(names)} metrics over up to {known['rows'].max()} "
        f"rows: it is highest for {high['first']} and {high['second']}, {number(high['tau'])}, and "
        f"lowest for {low['first']} and {low['second']}, {number(low['tau'])}; its median is "
        f"{number(known['tau'].median())}.",
    )
