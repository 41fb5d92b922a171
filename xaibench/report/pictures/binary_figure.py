"""Binary maps beside the true masks, on the images that the leading row serves best and worst."""

from pathlib import Path
from typing import Literal, cast

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from xaibench.core.errors import XaibenchError
from xaibench.core.loading import resize_mask
from xaibench.core.otsu import mark_of
from xaibench.core.overlap import Of
from xaibench.core.spec import parse_spec
from xaibench.report.facts.material import Material
from xaibench.report.facts.traits import header
from xaibench.report.judging.chapter import Chapter
from xaibench.report.numbers import number
from xaibench.report.pictures.drawing import Drawing, styled
from xaibench.report.pictures.outline import outlines
from xaibench.report.pictures.picture_table import Cell, PictureLine, draw_picture_table
from xaibench.report.pictures.shown_rows import ShownRow, competing
from xaibench.report.pictures.stored import Stored, holds_maps
from xaibench.report.pictures.unit_maps import UnitMaps
from xaibench.results.records import RunRecord

_ROWS, _EACH, _WHITE, _HALF = 4, 3, 255, 0.5


@styled
def draw_binary(chapter: Chapter, material: Material, stored: Stored, out: Path) -> Drawing | None:
    """Draw the best rows' maps cut at the threshold of the run's first `iou`.

    None where the run scores no IoU or keeps no maps, and where its images are gone.
    """
    run = material.run
    metric = _first_iou(run)
    lines = competing(chapter, run, metric)[:_ROWS] if metric else []
    if not metric or not lines or not holds_maps(material, out):
        return None
    leader = lines[0]
    try:
        maps = UnitMaps(chapter.section, material, metric, stored, out)
        shown = maps.best_and_worst(leader.place, metric, _EACH)
        rows = [_line(which, unit, lines, metric, maps, chapter) for which, unit in shown]
    except XaibenchError:  # the data is gone; the grid says so
        return None
    values = [chapter.section.values[metric][unit, leader.place] for _, unit in shown]
    return Drawing(
        _draw(rows, lines),
        f"Binary maps beside the truth on {chapter.section.title}: where each map reaches "
        f"{_cut_in_words(metric)}; the line is the mask.",
        f"Images that {leader.label} serves best and worst by {header(run, metric)}, from "
        f"{number(values[0])} to {number(values[-1])}.",
    )


def _first_iou(run: RunRecord) -> str | None:
    return next((spec for spec in run.metrics if parse_spec(spec)[0] == "iou"), None)


def _cut(metric: str) -> tuple[float, Literal[Of, "otsu"]]:
    """Return an IoU's threshold, and of what."""
    _, options = parse_spec(metric)
    of = options.get("of", "maximum")
    known = of if of in ("scale", "otsu") else "maximum"
    return float(options.get("threshold", _HALF)), cast(Literal[Of, "otsu"], known)


def _cut_in_words(metric: str) -> str:
    share, of = _cut(metric)
    return {"otsu": "Otsu's threshold", "scale": f"{share:g}"}.get(of, f"{share:g} of its maximum")


def _binary(metric: str, heat: Tensor) -> NDArray[np.uint8]:
    """Return what a metric marks of a map ``(H, W)``, in white."""
    marked = mark_of("iou", heat[None], *_cut(metric))
    return marked[0].numpy().astype(np.uint8) * _WHITE


def _line(
    which: str,
    unit: int,
    lines: list[ShownRow],
    metric: str,
    maps: UnitMaps,
    chapter: Chapter,
) -> PictureLine:
    picture = maps.picture(unit)
    assert picture.mask is not None  # else there were no IoU
    truth = resize_mask(picture.mask, maps.size, maps.run.mask_resize)
    around = [line for grade in outlines(truth) for line in grade]
    cells: list[Cell | None] = [
        Cell(picture.image, lines=around),
        Cell((truth > 0).astype(np.uint8) * _WHITE),
    ]
    for line in lines:
        heat = maps.heat(unit, line.place)
        value = chapter.section.values[metric][unit, line.place]
        said = f"IoU {number(value)}"
        cells.append(None if heat is None else Cell(_binary(metric, heat), said, around))
    return PictureLine(f"{which}\n{maps.name(unit)}", cells)


def _draw(rows: list[PictureLine], lines: list[ShownRow]) -> Figure:
    return draw_picture_table(["image", "mask", *(line.label for line in lines)], rows)
