"""The board as a forest plot: means and their intervals, ties as letters."""

from typing import Any

from matplotlib.axes import Axes

from xaibench.report.facts.traits import header
from xaibench.report.judging.chapter import Chapter
from xaibench.report.pictures.drawing import (
    COLORS,
    DIM,
    FONT,
    INK,
    KINDS,
    Drawing,
    bar_ends,
    legend_below,
    new_axes,
    styled,
)
from xaibench.report.pictures.shown_rows import (
    ShownRow,
    competing,
    controls,
    counted,
    leader_of,
    references,
    value_of,
)
from xaibench.results.records import RunRecord
from xaibench.stats.ranks import tie_letters

# Inches.
_WIDTH, _PITCH, _MORE, _LETTER = 3.6, 0.175, 0.12, 0.095
_VALUES, _TIES = 0.1, 1.3
_CALLED = {"method": "method", "learned": "learned", "control": "control"}
_REFERENCES = {"best blind control": ("--", DIM), "upper bound": (":", COLORS[2])}


@styled
def draw_intervals(chapter: Chapter, run: RunRecord, metric: str) -> Drawing | None:
    """Draw each row's mean and 95 % interval by a metric, the best on top, controls below.

    None where no row has a value.
    """
    ranked = competing(chapter, run, metric)
    lines = ranked + controls(chapter, run, metric)
    if not ranked:
        return None
    height = line_pitch(lines) * len(lines)
    figure, axes = new_axes(_WIDTH, height)
    drawn = _draw_rows(axes, chapter, lines, metric)
    named = references(lines, chapter.section, run)
    for name, line in named:
        style, color = _REFERENCES[name]
        value = chapter.judged[metric].mean[line.place]
        drawn.append(axes.axvline(value, linestyle=style, color=color, label=name, zorder=1))
    label_rows(axes, lines)
    if len(lines) > len(ranked):
        axes.axhline(len(ranked) - 0.5, color=DIM, linewidth=0.5)
    _write_columns(axes, chapter, lines, metric)
    axes.set_xlabel(header(run, metric))
    axes.grid(axis="x")
    legend_below(axes, height, 5, handles=drawn)
    leader = leader_of(ranked, chapter.section, metric)
    bounds = [f"{name} {at.label} {value_of(chapter, metric, at.place)}" for name, at in named]
    best = f"{leader.label} has the best mean, {value_of(chapter, metric, leader.place)}"
    return Drawing(
        figure,
        f"{header(run, metric)} on {chapter.section.title}: means and their 95 % intervals.",
        f"Forest plot of {counted(len(ranked), 'row')} by {header(run, metric)}: "
        f"{'; '.join([best, *bounds])}; last is {ranked[-1].label} with "
        f"{value_of(chapter, metric, ranked[-1].place)}.",
    )


def line_pitch(lines: list[ShownRow]) -> float:
    """Return the distance of rows in inches: more where labels take several lines."""
    return _PITCH + _MORE * max(line.folded.count("\n") for line in lines)


def label_rows(axes: Axes, lines: list[ShownRow]) -> None:
    """Write a label for each row at the left, the first on top; controls are gray."""
    # Plain texts: ticks take several times as long.
    axes.set(yticks=[], ylim=(len(lines) - 0.5, -0.5))
    for row, line in enumerate(lines):
        axes.annotate(
            line.folded,
            (0, row),
            (-4, 0),
            xycoords=axes.get_yaxis_transform(),
            textcoords="offset points",
            ha="right",
            va="center",
            size=FONT - 0.5,
            color=DIM if line.kind == "control" else INK,
        )


def _draw_rows(axes: Axes, chapter: Chapter, lines: list[ShownRow], metric: str) -> list[Any]:
    """Draw dots and intervals; return what a legend names."""
    drawn: list[Any] = []
    found = chapter.judged[metric]
    for kind, (shape, color) in KINDS.items():
        rows = [row for row, line in enumerate(lines) if line.kind == kind]
        places = [lines[row].place for row in rows]
        if rows:
            values = found.mean[places]
            ends = bar_ends(values, found.low[places], found.high[places])
            drawn.append(
                axes.errorbar(
                    values,
                    rows,
                    xerr=ends,
                    label=_CALLED[kind],
                    fmt=shape,
                    color=color,
                    markersize=4,
                    linewidth=1.2,
                )
            )
    return drawn


def _write_columns(axes: Axes, chapter: Chapter, lines: list[ShownRow], metric: str) -> None:
    """Write values and tie letters at the right, each letter in a column of its own."""
    ties = chapter.judged[metric].ties
    letters = dict.fromkeys(name for line in lines for name in tie_letters(ties[line.place]))
    beside, size = axes.get_yaxis_transform(), FONT - 1
    left = {name: 1 + (_TIES + at * _LETTER) / _WIDTH for at, name in enumerate(letters)}
    for row, line in enumerate(lines):
        axes.text(
            1 + _VALUES / _WIDTH,
            row,
            value_of(chapter, metric, line.place),
            size=size,
            va="center",
            color=DIM if line.kind == "control" else INK,
            transform=beside,
        )
        for name in tie_letters(ties[line.place]):
            axes.text(left[name], row, name, size=size, va="center", transform=beside)
    axes.text(1 + _VALUES / _WIDTH, -1, "mean [95 %]", size=size, va="center", transform=beside)
    if letters:
        axes.text(1 + _TIES / _WIDTH, -1, "tied", size=size, va="center", transform=beside)
