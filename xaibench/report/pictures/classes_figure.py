"""Each class's mean for each row, as a heat map, where images may show several classes."""

import numpy as np
import pandas as pd
import seaborn

from xaibench.report.facts.section import ROW
from xaibench.report.facts.traits import header
from xaibench.report.judging.chapter import Chapter
from xaibench.report.numbers import number
from xaibench.report.pictures.drawing import FONT, Drawing, new_axes, set_off_numbers, styled
from xaibench.report.pictures.shown_rows import competing, counted
from xaibench.results.records import RunRecord

_FEW = 20  # rows or classes up to which each cell has room for its number
_LEAST = 2
_WIDE, _HIGH, _SMALL = 0.5, 0.22, 0.12  # inches of a cell


@styled
def draw_classes(chapter: Chapter, run: RunRecord, metric: str) -> Drawing | None:
    """Draw the mean of each class and row, classes below each other; too few images leave a gap.

    None where images have one label, or fewer than two classes have a mean.
    """
    if not run.several_labels:
        return None
    lines = competing(chapter, run, metric)
    found = chapter.slices
    found = found[(found["slice"] == "class") & (found["metric"] == metric)]
    found = found[found["value"].notna()]
    table = found.pivot_table("value", "part", list(ROW[:2]), sort=False)
    rows = [tuple(chapter.section.rows[line.place][:2]) for line in lines]
    kept = [(line.folded, row) for line, row in zip(lines, rows, strict=True) if row in table]
    if not kept or len(table) < _LEAST:
        return None
    values = table[[row for _, row in kept]].to_numpy(float)
    few = max(values.shape) <= _FEW
    figure, axes = new_axes(
        (_WIDE if few else _SMALL) * len(kept), (_HIGH if few else _SMALL) * len(table)
    )
    seaborn.heatmap(
        pd.DataFrame(values),
        cmap="cividis",
        annot=few,
        fmt=".2f",
        annot_kws={"size": FONT - 1},
        xticklabels=False,
        yticklabels=False,
        rasterized=not few,
        cbar_kws={"label": header(run, metric)},
        ax=axes,
    )
    set_off_numbers(axes)
    labels = [label for label, _ in kept]
    names, first = [str(name) for name in table.index], values[:, 0]
    axes.set_xticks(
        np.arange(len(kept)) + 0.5, labels, rotation=40, ha="right", rotation_mode="anchor"
    )
    axes.set_yticks(np.arange(len(table)) + 0.5, names, rotation=0)
    axes.tick_params(length=0)
    low, high = int(np.nanargmin(first)), int(np.nanargmax(first))
    return Drawing(
        figure,
        f"{header(run, metric)} of each class and row of {chapter.section.title}.",
        f"Heat map of {header(run, metric)} of {len(table)} classes and "
        f"{counted(len(kept), 'row')}: {labels[0]}, the first, is highest for "
        f"{names[high]}, {number(first[high])}, and lowest for {names[low]}, {number(first[low])}.",
    )
