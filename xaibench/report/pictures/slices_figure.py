"""Parts of the images side by side, for the rows that lead."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes

from xaibench.report.facts.section import ROW
from xaibench.report.facts.traits import header
from xaibench.report.judging.chapter import Chapter
from xaibench.report.numbers import number, span
from xaibench.report.pictures.drawing import (
    COLORS,
    DIM,
    SHAPES,
    Drawing,
    bar_ends,
    legend_below,
    new_axes,
    styled,
)
from xaibench.report.pictures.shown_rows import ShownRow, competing, counted
from xaibench.results.records import RunRecord

_LEADING = 6
_WIDTH, _STEP, _BETWEEN, _APART = 4.2, 0.085, 0.1, 0.12  # inches
_WIDE = 25  # letters of a label that needs a line of the legend for itself
_WHOLE = ("", "all images")


@styled
def draw_slices(chapter: Chapter, run: RunRecord, metric: str) -> Drawing | None:
    """Draw means and 95 % intervals of the leading rows on each part that is large enough.

    None where no part is, or no row has a value.
    """
    lines = competing(chapter, run, metric)[:_LEADING]
    found = pd.concat([_of_row(chapter, line, metric) for line in lines]) if lines else None
    if found is None or set(found["slice"]) == {_WHOLE[0]}:
        return None
    depths = _depths(found, len(lines))
    height = max(depths.values()) + _STEP * len(lines)
    figure, axes = new_axes(_WIDTH, height)
    for at, line in enumerate(lines):
        mine = found[found["place"] == line.place]
        ys = [depths[part] + _STEP * at for part in _parts(mine)]
        values, low, high = (mine[name].to_numpy(float) for name in ("value", "low", "high"))
        axes.errorbar(
            values,
            ys,
            xerr=bar_ends(values, low, high),
            label=line.folded,
            fmt=SHAPES[at],
            color=COLORS[at],
            markersize=3.5,
            linewidth=1,
        )
    _label(axes, depths, len(lines))
    axes.set(xlabel=header(run, metric), ylim=(height, -_STEP))
    axes.grid(axis="x")
    wide = any(len(line.label) > _WIDE for line in lines)
    legend_below(axes, height, 1 if wide else 2)
    return Drawing(
        figure,
        f"{header(run, metric)} on parts of the images of {chapter.section.title}: means and 95 % "
        f"intervals of the {len(lines)} leading rows.",
        f"Means of {counted(len(lines), 'row')} by {header(run, metric)} on "
        f"{counted(len(depths) - 1, 'part')} of the images: {lines[0].label}, the first, has "
        f"{_in_words(found, lines[0])}.",
    )


def _of_row(chapter: Chapter, line: ShownRow, metric: str) -> pd.DataFrame:
    """Return what a row has on all images, then on each part that is large enough."""
    judged = chapter.judged[metric]
    whole = {name: getattr(judged, name)[line.place] for name in ("low", "high")}
    whole |= {"slice": _WHOLE[0], "part": _WHOLE[1], "value": judged.mean[line.place]}
    row = list(chapter.section.rows[line.place][:2])
    found = chapter.slices
    found = found[(found["metric"] == metric) & (found[ROW] == row).all(axis=1)]
    known = found[found["value"].notna()]
    parts = known[list(whole)].to_dict("records")
    return pd.DataFrame([whole, *parts]).assign(place=line.place)


def _parts(found: pd.DataFrame) -> list[tuple[str, str]]:
    return list(found[["slice", "part"]].itertuples(index=False, name=None))


def _depths(found: pd.DataFrame, rows: int) -> dict[tuple[str, str], float]:
    """Return where each part begins, in inches from the top; slices are further apart."""
    depths: dict[tuple[str, str], float] = {}
    depth, before = 0.0, _WHOLE[0]
    for part in dict.fromkeys(_parts(found)):
        depth += _APART if part[0] != before else 0
        depths[part], before = depth, part[0]
        depth += _STEP * rows + _BETWEEN
    return depths


def _label(axes: Axes, depths: dict[tuple[str, str], float], rows: int) -> None:
    middle = _STEP * (rows - 1) / 2
    names = [f"{name}: {part}" if name else part for name, part in depths]
    axes.set_yticks([depth + middle for depth in depths.values()], names)
    axes.tick_params(axis="y", length=0)
    firsts = {name: depth for (name, _), depth in reversed(depths.items()) if name}
    for depth in firsts.values():
        axes.axhline(depth - (_BETWEEN + _APART + _STEP) / 2, color=DIM, linewidth=0.5)


def _in_words(found: pd.DataFrame, line: ShownRow) -> str:
    mine = found[found["place"] == line.place]
    told: Sequence[str] = [
        f"{number(row['value'])} {span(row['low'], row['high'])} on {row['part']}"
        + (f" ({row['slice']})" if row["slice"] else "")
        for row in mine.to_dict("records")
    ]
    return ", ".join(told)
