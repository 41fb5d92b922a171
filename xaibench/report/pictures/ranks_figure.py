"""The critical-difference picture (demsar2006comparisons), its bars by the board's own tests."""

from collections.abc import Sequence
from typing import Any, NamedTuple

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
_WIDTH, _BAR, _GAP, _SIDE, _OVER = 3.8, 0.1, 0.14, 0.06, 0.05
_EDGE = 0.08  # of the ranks' range
_THIN: dict[str, Any] = {"color": DIM, "linewidth": 0.6, "clip_on": False, "zorder": 1}


class _Stem(NamedTuple):
    """A rank, and the names and letters of its rows."""

    rank: float
    labels: list[tuple[str, str]]


@styled
def draw_ranks(chapter: Chapter, run: RunRecord, metric: str) -> Drawing | None:
    """Draw mean ranks on an axis; a bar joins rows that share a letter, a dot for each of them.

    Ranks are taken within each map that all rows have, each counted once as in the board's means.
    Letters follow means, the axis follows ranks: a bar may pass rows that aren't its own, which
    have no dot on it. Rows of one rank share a line, and each has its letters beside its name.

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
    ties = [chapter.judged[metric].ties[line.place] for line in lines]
    groups = tie_ranks(ties, ranks)
    stems = _stems(lines, ranks, ties)
    half = _middle(stems)
    pitch, first = line_pitch(lines), _GAP + _BAR * len(groups) + _GAP
    sides = stems[:half], stems[half:][::-1]
    height = first + pitch * max(sum(len(stem.labels) for stem in side) for side in sides)
    figure, axes = new_axes(_WIDTH, height)
    edge = max((ranks[-1] - ranks[0]) * _EDGE, _EDGE)
    axes.set(xlim=(ranks[0] - edge, ranks[-1] + edge), ylim=(height, 0), yticks=[])
    axes.set_xlabel(f"mean rank by {shown(run, metric)}")
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.spines["top"].set_visible(True)
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    for number, (letter, group) in enumerate(groups.items()):
        _draw_bar(axes, letter, group, _GAP + _BAR * number)
    _draw_side(axes, sides[0], first, pitch, left=True)
    # Half a step lower: or else lines that meet in the middle look like one.
    _draw_side(axes, sides[1], first + pitch / 2, pitch, left=False)
    maps = int((~np.isnan(values).any(axis=1)).sum())
    return Drawing(
        figure,
        f"Mean ranks by {header(run, metric)} on {chapter.section.title}, over {maps} maps that "
        "all rows have, ties averaged. Thick bars join rows (dots) that are not significantly "
        "different: paired tests of all pairs with Holm's correction; letters as on the board.",
        f"Critical-difference picture of {len(lines)} rows by {header(run, metric)}: the best mean "
        f"rank is {ranks[0]:.2f}, of {lines[0].label}, the last {ranks[-1]:.2f}, of "
        f"{lines[-1].label}; {counted(len(groups), 'bar')} for rows that are not significantly "
        "different.",
    )


def tie_ranks(ties: Sequence[str], ranks: Floats) -> dict[str, Floats]:
    """Return the ranks of each letter's rows where it has several, the best letter first.

    Args:
        ties: letters of each row, M in all.
        ranks: ``(M,)``.
    """
    named = [tie_letters(text) for text in ties]
    letters = sorted({name for names in named for name in names}, key=lambda name: (name[1:], name))
    found = {letter: np.sort(ranks[[letter in names for names in named]]) for letter in letters}
    return {letter: group for letter, group in found.items() if len(group) > 1}


def _stems(lines: Sequence[ShownRow], ranks: Floats, ties: Sequence[str]) -> list[_Stem]:
    """Gather rows whose ranks are printed alike, so that no line hides another."""
    found: dict[str, _Stem] = {}
    for line, rank, letters in zip(lines, ranks, ties, strict=True):
        stem = found.setdefault(f"{rank:.2f}", _Stem(float(rank), []))
        stem.labels.append((line.folded, " ".join(tie_letters(letters))))
    return list(found.values())


def _middle(stems: Sequence[_Stem]) -> int:
    """Return how many stems go to the left, so that either side has about as many names."""
    counts = np.cumsum([len(stem.labels) for stem in stems])
    return int(np.abs(2 * counts - counts[-1]).argmin()) + 1


def _draw_bar(axes: Axes, letter: str, group: Floats, depth: float) -> None:
    """Draw a bar a little longer than from its first rank to its last: these may be equal."""
    low, high = axes.get_xlim()
    over = _OVER * (high - low) / _WIDTH
    ends = [group[0] - over, group[-1] + over]
    axes.plot(ends, [depth] * 2, color=COLORS[0], linewidth=3, clip_on=False)
    axes.plot(group, [depth] * len(group), "o", color=INK, markersize=3, clip_on=False)
    beside: dict[str, Any] = {
        "textcoords": "offset points",
        "ha": "right",
        "va": "center",
        "size": FONT - 2,
    }
    axes.annotate(letter, (ends[0], depth), (-2, 0), **beside)


def _draw_side(
    axes: Axes, stems: Sequence[_Stem], first: float, pitch: float, *, left: bool
) -> None:
    """Lead a thin line from each rank to its names, the outermost rank first."""
    edge = axes.get_xlim()[0 if left else 1]
    at = -_SIDE / _WIDTH if left else 1 + _SIDE / _WIDTH
    depth = first
    for stem in stems:
        deepest = depth + pitch * (len(stem.labels) - 1)
        axes.plot([stem.rank] * 2, [0, deepest], **_THIN)
        for name, letters in stem.labels:
            axes.plot([stem.rank, edge], [depth] * 2, **_THIN)
            parts = (name, letters, f"{stem.rank:.2f}")
            axes.text(
                at,
                depth,
                "  ".join(part for part in (parts if left else parts[::-1]) if part),
                ha="right" if left else "left",
                va="center",
                size=FONT - 0.5,
                transform=axes.get_yaxis_transform(),
            )
            depth += pitch
