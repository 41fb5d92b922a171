"""Plausibility against dependence on the decision, the three kinds of explanation marked."""

import numpy as np

from xaibench.report.facts.dependence import INDEPENDENT
from xaibench.report.facts.supervision import origin_of
from xaibench.report.facts.traits import header
from xaibench.report.judging.chapter import Chapter
from xaibench.report.pictures.drawing import (
    DIM,
    ORIGINS,
    Drawing,
    bar_ends,
    legend_below,
    new_axes,
    styled,
)
from xaibench.report.pictures.named_dots import name_dots
from xaibench.report.pictures.shown_rows import competing, value_of
from xaibench.results.records import RunRecord

_WIDTH, _HEIGHT = 4.6, 3.4
_WIDEST, _MARGIN = 1.0, 0.05


@styled
def draw_dependence(chapter: Chapter, run: RunRecord, metric: str) -> Drawing | None:
    """Draw means and 95 % intervals of a metric of localization against `dependence`.

    Maps in the shaded strip don't depend on the decision, however well they fit the annotation.

    None with fewer than two rows whose dependence is known.
    """
    found = np.array([row.dependence for row in chapter.board])
    lines = [line for line in competing(chapter, run, metric) if not np.isnan(found[line.place])]
    if len(lines) < 2:  # noqa: PLR2004
        return None
    places = [line.place for line in lines]
    judged, depends = chapter.judged[metric], found[places]
    values = judged.mean[places]
    figure, axes = new_axes(_WIDTH, _HEIGHT)
    axes.set(xlabel="dependence on the decision", ylabel=header(run, metric))
    axes.axvspan(-_MARGIN, INDEPENDENT, color=DIM, alpha=0.15, linewidth=0)
    ends = bar_ends(values, judged.low[places], judged.high[places])
    axes.errorbar(depends, values, yerr=ends, fmt="none", ecolor=DIM, elinewidth=0.7, alpha=0.6)
    rows = [chapter.board[place] for place in places]
    kinds = [origin_of(run, row.method, row.mask_budget) for row in rows]
    for kind, (shape, color) in ORIGINS.items():
        mine = [at for at, each in enumerate(kinds) if each == kind]
        if mine:
            axes.plot(
                depends[mine], values[mine], shape, color=color, markersize=5, label=kind, zorder=3
            )
    axes.set_xlim(-_MARGIN, max(_WIDEST, depends.max()) + _MARGIN)
    axes.grid()
    name_dots(axes, lines, (depends, values), (_WIDTH, _HEIGHT))
    legend_below(axes, _HEIGHT, len(ORIGINS))
    told = "; ".join(
        f"{line.label} ({kind}): dependence {depend:.2f}, {value_of(chapter, metric, line.place)}"
        for line, kind, depend in zip(lines, kinds, depends, strict=True)
    )
    return Drawing(
        figure,
        f"{header(run, metric)} against dependence on the decision on {chapter.section.title}, "
        f"with 95 % intervals; maps in the shaded strip (below {INDEPENDENT}) stay as they are "
        "whatever the network decides.",
        f"Scatter plot of {len(lines)} rows: {told}.",
    )
