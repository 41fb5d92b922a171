"""The critical-difference picture (demsar2006comparisons), its bars by the board's own tests."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from xaibench.report.facts.section import Floats
from xaibench.report.facts.traits import header, shown
from xaibench.report.judging.chapter import Chapter
from xaibench.report.pictures.drawing import COLORS, DIM, FONT, INK, Drawing, new_axes, styled
from xaibench.report.pictures.interval_figure import line_pitch
from xaibench.report.pictures.shown_rows import ShownRow, competing, counted
from xaibench.results.records import RunRecord
from xaibench.stats.ranks import mean_ranks, tie_letters

_FEWEST = 3
# Inches; the axes' own unit from top to bottom.
_WIDTH, _BAR, _GAP, _SIDE = 3.8, 0.1, 0.14, 0.06


@styled
def draw_ranks(chapter: Chapter, run: RunRecord, metric: str) -> Drawing | None:
    """Draw mean ranks on an axis; a bar joins rows that share a letter, a dot for each of them.

    Ranks are taken within each map that all rows have, each counted once as in the board's means.
    Letters follow means, the axis follows ranks: a bar may pass rows that aren't its own, which
    have no dot on it.

    None with fewer than three rows, without a map that all have, and for pooled estimands, whose
    images have no scores of their own.
    """
    lines = competing(chapter, run, metric)
    values = chapter.section.values[metric][:, [line.place for line in lines]]
    if len(lines) < _FEWEST or run.metrics[metric].is_pooled:
        return None
    ranks = mean_ranks(values, higher_is_better=run.metrics[metric].higher_is_better)
    if np.isnan(ranks).any():
        return None
    order = np.argsort(ranks, kind="stable")
    lines, ranks = [lines[at] for at in order], ranks[order]
    groups = tie_ranks([chapter.judged[metric].ties[line.place] for line in lines], ranks)
    pitch, half = line_pitch(lines), -(-len(lines) // 2)
    first = _GAP + _BAR * len(groups) + _GAP
    height = first + pitch * half
    figure, axes = new_axes(_WIDTH, height)
    low, high = np.floor(ranks.min()), max(np.ceil(ranks.max()), np.floor(ranks.min()) + 1)
    axes.set(xlim=(low, high), ylim=(height, 0), yticks=[])
    axes.set_xlabel(f"mean rank by {shown(run, metric)}")
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.spines["top"].set_visible(True)
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    for number, group in enumerate(groups):
        depth = _GAP + _BAR * number
        axes.plot(
            group,
            [depth] * len(group),
            "o-",
            color=COLORS[0],
            linewidth=3,
            markersize=3,
            markeredgewidth=0,
            markerfacecolor=INK,
            clip_on=False,
        )
    _draw_side(axes, lines[:half], ranks[:half], first, pitch, left=True)
    # Half a step lower: or else lines that meet in the middle look like one.
    _draw_side(axes, lines[half:][::-1], ranks[half:][::-1], first + pitch / 2, pitch, left=False)
    maps = int((~np.isnan(values).any(axis=1)).sum())
    return Drawing(
        figure,
        f"Mean ranks by {header(run, metric)} on {chapter.section.title}, over {maps} maps that "
        "all rows have, ties averaged; thick bars join rows (dots) whose means paired tests with "
        "Holm's correction find no significant difference for.",
        f"Critical-difference picture of {len(lines)} rows by {header(run, metric)}: the best mean "
        f"rank is {ranks[0]:.2f}, of {lines[0].label}, the last {ranks[-1]:.2f}, of "
        f"{lines[-1].label}; {counted(len(groups), 'bar')} for rows that are not significantly "
        "different.",
    )


def tie_ranks(ties: Sequence[str], ranks: Floats) -> list[Floats]:
    """Return the ranks of each letter's rows where it has several, the best letter first.

    Args:
        ties: letters of each row, M in all.
        ranks: ``(M,)``.
    """
    named = [tie_letters(text) for text in ties]
    letters = sorted({name for names in named for name in names}, key=lambda name: (name[1:], name))
    found = [np.sort(ranks[[letter in names for names in named]]) for letter in letters]
    return [group for group in found if len(group) > 1]


def _draw_side(
    axes: Axes, lines: Sequence[ShownRow], ranks: Floats, first: float, pitch: float, *, left: bool
) -> None:
    """Lead a thin line from each rank to its label, the outermost first."""
    edge = axes.get_xlim()[0 if left else 1]
    for number, (line, rank) in enumerate(zip(lines, ranks, strict=True)):
        depth = first + pitch * number
        axes.plot(
            [rank, rank, edge], [0, depth, depth], color=DIM, linewidth=0.6, clip_on=False, zorder=1
        )
        at = -_SIDE / _WIDTH if left else 1 + _SIDE / _WIDTH
        text = f"{line.folded}  {rank:.2f}" if left else f"{rank:.2f}  {line.folded}"
        axes.text(
            at,
            depth,
            text,
            ha="right" if left else "left",
            va="center",
            size=FONT - 0.5,
            transform=axes.get_yaxis_transform(),
        )
