"""How scores are distributed over images: a box and a point for each image."""

from typing import Any

import numpy as np
import pandas as pd
import seaborn
from matplotlib.axes import Axes

from xaibench.report.facts.traits import header
from xaibench.report.judging.chapter import Chapter
from xaibench.report.numbers import number
from xaibench.report.pictures.drawing import KINDS, Drawing, new_axes, styled
from xaibench.report.pictures.interval_figure import label_rows, line_pitch
from xaibench.report.pictures.shown_rows import (
    competing,
    controls,
    counted,
    leader_of,
)
from xaibench.results.records import RunRecord

_WIDTH, _SPREAD = 4.6, 0.28
_MANY, _FINENESS = 2000, 32  # maps in all; points of an outline
_MEAN = {"marker": "|", "markeredgecolor": "black", "markersize": 7}


@styled
def draw_scores(chapter: Chapter, run: RunRecord, metric: str) -> Drawing | None:
    """Draw each row's scores of all maps, the best row on top, controls below.

    Boxes are quartiles, whiskers reach to the last score within 1.5 times their distance, and a
    bar across is the mean. Behind them lies a point for each map, of many maps their density.

    None where no row has a value, and for pooled estimands, whose images have no scores.
    """
    ranked = competing(chapter, run, metric)
    lines = ranked + controls(chapter, run, metric)
    if not ranked or run.metrics[metric].is_pooled:
        return None
    height = line_pitch(lines) * len(lines)
    figure, axes = new_axes(_WIDTH, height)
    values = chapter.section.values[metric]
    table = pd.concat(
        pd.DataFrame({"row": row, "kind": line.kind, "value": values[:, line.place]})
        for row, line in enumerate(lines)
    ).dropna()
    _draw_shapes(axes, table)
    label_rows(axes, lines)
    axes.set(xlabel=header(run, metric), ylabel="")
    axes.grid(axis="x")
    leader = leader_of(ranked, chapter.section, metric)
    low, middle, high = np.nanquantile(values[:, leader.place], (0.25, 0.5, 0.75))
    return Drawing(
        figure,
        f"{header(run, metric)} of each map on {chapter.section.title}: quartiles and mean (bar), "
        "and behind them every map or their density.",
        f"Box plot of {counted(len(ranked), 'row')} by {header(run, metric)}: "
        f"{leader.label}, the leader, has median {number(middle)} and quartiles {number(low)} and "
        f"{number(high)}; medians run from {_medians(values[:, [line.place for line in ranked]])}.",
    )


def _draw_shapes(axes: Axes, table: pd.DataFrame) -> None:
    colors = {kind: color for kind, (_, color) in KINDS.items()}
    shared: Any = {"x": "value", "y": "row", "hue": "kind", "palette": colors, "orient": "h"}
    shared |= {"dodge": False, "native_scale": True, "legend": False, "ax": axes}
    if len(table) > _MANY:
        seaborn.violinplot(
            table,
            **shared,
            inner=None,
            cut=0,
            gridsize=_FINENESS,
            width=0.9,
            density_norm="width",
            linewidth=0,
            alpha=0.35,
        )
    else:
        rng = np.random.default_rng(0)
        shifted = table["row"] + rng.uniform(-_SPREAD, _SPREAD, len(table))
        # As thousands of vectors no viewer opens them.
        axes.scatter(
            table["value"],
            shifted,
            s=4,
            c=table["kind"].map(colors),
            alpha=0.5,
            linewidth=0,
            rasterized=True,
        )
    seaborn.boxplot(
        table,
        **shared,
        fill=False,
        width=0.7,
        linewidth=0.9,
        fliersize=0,
        showmeans=True,
        meanprops=_MEAN,
    )


def _medians(values: np.ndarray) -> str:
    found = np.nanmedian(values, axis=0)
    return f"{number(found.min())} to {number(found.max())}"
