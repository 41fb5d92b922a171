"""A few test images by rows: at each pixel the share of trainings whose maps mark it."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from xaibench.core.errors import XaibenchError
from xaibench.report.facts.material import Material
from xaibench.report.judging.chapter import Chapter
from xaibench.report.pictures.drawing import FONT, Drawing, new_figure, styled
from xaibench.report.pictures.overlay import HEAT, overlay
from xaibench.report.pictures.shown_rows import ShownRow, competing, fold
from xaibench.report.pictures.stored import Stored, holds_maps
from xaibench.results.folder import Layout, Place

_IMAGES, _ROWS = 3, 6
_CELL, _GAP, _HEAD, _SIDE, _BAR = 1.1, 0.05, 0.3, 1.1, 0.08  # inches
_MARKED, _PIXELS = 0.5, 224


class _Line(NamedTuple):
    sample: str
    trainings: int
    picture: NDArray[np.uint8]
    shares: Sequence[NDArray[np.float32] | None]


@styled
def draw_repeats(
    chapter: Chapter, material: Material, metric: str, stored: Stored, out: Path
) -> Drawing | None:
    """Draw the best rows by a metric, of the images that most trainings have tested.

    None without several trainings of a model, without maps or where the images are gone.
    """
    run = material.run
    if chapter.repeats.empty or not holds_maps(material, out):
        return None
    measured = set(zip(chapter.repeats["model"], chapter.repeats["method"], strict=True))
    rows = chapter.section.rows
    lines = [line for line in competing(chapter, run, metric) if rows[line.place][:2] in measured][
        :_ROWS
    ]
    try:
        shown = list(_lines(chapter, lines, material, stored, Layout(out)))
    except XaibenchError:  # the data is gone; the grid says so
        return None
    if not shown or not lines:
        return None
    told = "; ".join(
        f"{line.folded.replace(chr(10), ' ')} {row.reproducibility:.2f}"
        for line in lines
        for row in [chapter.board[line.place]]
    )
    return Drawing(
        _draw(shown, lines),
        f"Share of trainings whose maps mark a pixel (at least half of the map's maximum), on "
        f"{chapter.section.title}: maps that repeat are bright or not there.",
        f"Test images by rows; mean rank correlation between trainings: {told}.",
    )


def _lines(
    chapter: Chapter,
    lines: Sequence[ShownRow],
    material: Material,
    stored: Stored,
    layout: Layout,
) -> Iterator[_Line]:
    section = chapter.section
    units = section.units
    tested = units.groupby("sample", sort=True).size()
    samples = {sample.id: sample for sample in stored.images.samples}
    most = [str(name) for name in tested.index[tested == tested.max()] if name in samples]
    step = max(len(most) // _IMAGES, 1)
    side = material.run.image_size
    for name in most[::step][:_IMAGES]:
        mine = units[units["sample"] == name]
        shares = []
        for line in lines:
            row = section.rows[line.place]
            places = [
                Place(section.dataset, section.split, int(fold), row.model, int(seed))
                for fold, seed in zip(mine["fold"], mine["seed"], strict=True)
            ]
            shares.append(_share(stored, layout, places, row.method, name, side))
        picture = stored.images.read(samples[name]).image
        yield _Line(name, len(mine), picture, shares)


def _share(
    stored: Stored, layout: Layout, places: Sequence[Place], method: str, sample: str, side: int
) -> NDArray[np.float32] | None:
    """Return the share of trainings that mark each pixel, None without any map."""
    keys = stored.keys(sample, ("label", "predicted"))
    marked = [
        (values >= _MARKED * values.max()).numpy() & bool(values.max() > 0)
        for place in places
        if (found := stored.finished(layout.cell_folder(place, method), keys, (side, side), method))
        for values in found[:1]
    ]
    return np.mean(marked, axis=0, dtype=np.float32) if marked else None


def _draw(shown: Sequence[_Line], lines: Sequence[ShownRow]) -> Figure:
    width = _SIDE + (1 + len(lines)) * (_CELL + _GAP)
    height = _HEAD + len(shown) * (_CELL + _GAP) + 4 * _BAR
    figure = new_figure((width, height))

    def place(column: int, row: int) -> Axes:
        left, top = _SIDE + column * (_CELL + _GAP), _HEAD + row * (_CELL + _GAP)
        box = (left / width, 1 - (top + _CELL) / height, _CELL / width, _CELL / height)
        axes = figure.add_axes(box)
        axes.set_axis_off()
        return axes

    for row, line in enumerate(shown):
        side = next((len(share) for share in line.shares if share is not None), _PIXELS)
        image = np.asarray(Image.fromarray(line.picture).resize((side, side)))
        for column, share in enumerate([None, *line.shares]):
            axes = place(column, row)
            if column == 0 or share is not None:
                axes.imshow(image if share is None else overlay(image, share))
            if row == 0:
                title = "image" if column == 0 else fold(lines[column - 1].label, 18)
                axes.set_title(title, fontsize=FONT - 1.5, pad=2)
            if column == 0:
                told = f"{line.sample}\n{line.trainings} trainings"
                axes.text(-0.04, 0.5, told, ha="right", va="center", transform=axes.transAxes,
                          fontsize=FONT - 1.5)  # fmt: skip
    box = ((_SIDE + _CELL + _GAP) / width, 2 * _BAR / height, _CELL / width, _BAR / height)
    bar = figure.add_axes(box)
    bar.imshow(np.linspace(0, 1, 64)[None], cmap=HEAT, aspect="auto", extent=(0, 1, 0, 1))
    bar.set(yticks=[], xticks=[0, 1])
    bar.tick_params(labelsize=FONT - 2, length=2, pad=1)
    return figure
