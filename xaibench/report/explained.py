"""The folder of explained pictures: overlays, a sheet for each picture, raw maps and a table."""

from collections.abc import Iterable, Iterator
from functools import partial
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from xaibench.core.csv_cells import to_csv
from xaibench.core.explanation import Answer, Explanation
from xaibench.core.maps import OK
from xaibench.core.store import folder_name, replacing, write_with
from xaibench.report.advice import AdviceWriter
from xaibench.report.facts.proper_names import method_name
from xaibench.report.pictures.covered_line import (
    CoveredCell,
    change_in_words,
    covered_headings,
    covered_line,
)
from xaibench.report.pictures.drawing import save_picture, styled
from xaibench.report.pictures.grid import GridRow, draw_grid
from xaibench.report.pictures.overlay import overlay
from xaibench.report.pictures.picture_table import draw_picture_table
from xaibench.results.folder import EXPLAINED_FILE, MAPS_FILE, SHEET_FILE
from xaibench.results.maps import MapWriter

_SHOWN = 40
_PIXELS = ("peak_x", "peak_y")
_COLUMNS = [
    *("picture", "path", "width", "height", "model", "prediction", "confidence", "method"),
    *("target", "target_confidence", "status", *_PIXELS, "map", "overlay"),
]


def write_explanations(
    found: Iterable[Explanation], out: Path, model: str
) -> tuple[pd.DataFrame, list[str]]:
    """Write what was found, picture by picture, so that memory stays flat.

    ``<picture>/<method>.png`` is the heat over the picture at its own size, ``<picture>/sheet.png``
    all methods beside it, ``maps.npz`` the raw maps ``(h, w)`` over the network's square under the
    names that the column ``map`` gives, ``explained.csv`` the table.

    Where the run has analyses, what they say of the picture is beside (`AdviceWriter`).

    Returns:
        The table, a row for each picture and method, and sentences of the run's analyses.
        ``peak_x`` and ``peak_y`` are the pixel of the original picture, from its top left corner,
        at which the map is highest (of several the first in reading order), empty where ``status``
        isn't ``ok``.

    Raises:
        XaibenchError: the folder can't be written.
    """
    rows: list[dict[str, Any]] = []
    advice = AdviceWriter(out)
    with replacing(out / MAPS_FILE) as path:
        writer = MapWriter(path)
        for each in found:
            for row, answer in zip(_rows(each, model), each.answers.values(), strict=True):
                rows.append(row)
                if answer.raw is not None and answer.heat is not None:
                    writer.add(row["map"], answer.raw)
                    with replacing(out / row["overlay"]) as picture:
                        Image.fromarray(overlay(each.image, answer.heat)).save(picture, "png")
            with replacing(out / each.file.name / SHEET_FILE) as picture:
                draw_grid([_sheet(each)], picture)
            _show_covered(each, out)
            advice.add(each)
        writer.close()
    advice.close()
    table = pd.DataFrame(rows, columns=_COLUMNS).astype(dict.fromkeys(_PIXELS, "Int64"))
    write_with(out / EXPLAINED_FILE, partial(to_csv, table))
    return table, advice.lines


def describe(table: pd.DataFrame) -> Iterator[str]:
    """Yield the lines of a short table for people."""
    cells = [["picture", "prediction", "method", "explains", "status", "peak (x, y)"]]
    for row in table.head(_SHOWN).to_dict("records"):
        sure = f" {row['confidence']:.2f}" if row["prediction"] else ""
        peak = "" if pd.isna(row["peak_x"]) else f"{row['peak_x']}, {row['peak_y']}"
        cells.append(
            [
                row["picture"],
                f"{row['prediction']}{sure}",
                row["method"],
                row["target"],
                row["status"],
                peak,
            ]
        )
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        padded = [cell.ljust(width) for cell, width in zip(line, widths, strict=True)]
        yield "  ".join(padded).rstrip()
    if len(table) > _SHOWN:
        yield f"... and {len(table) - _SHOWN} more in explained.csv"


def _show_covered(each: Explanation, out: Path) -> None:
    """Draw ``<picture>/covered-<method>.png`` where covered pictures were asked for."""
    for method, answer in each.answers.items():
        if answer.covered is None:
            continue
        picture, image, heat, before, covered = answer.covered
        cells = [CoveredCell(c.image, change_in_words(before, c.confidence)) for c in covered]
        heads = covered_headings(method_name(method), [shown.words for shown in covered])
        line = covered_line(f"explained: {answer.target}", picture, image, heat, before, cells)
        drawn = styled(draw_picture_table)(heads, [line])
        save_picture(drawn, out / each.file.name / f"covered-{folder_name(method)}.png")


def _rows(each: Explanation, model: str) -> Iterator[dict[str, Any]]:
    height, width = each.image.shape[:2]
    for method, answer in each.answers.items():
        named = [each.file.name, method, *([answer.target] if answer.target else [])]
        made = answer.heat is not None
        x, y = _peak(answer)
        yield {
            "picture": each.file.name,
            "path": str(each.file.path),
            "width": width,
            "height": height,
            "model": model,
            "prediction": each.prediction,
            "confidence": each.confidence,
            "method": method,
            "target": answer.target,
            "target_confidence": answer.target_confidence,
            "status": answer.status,
            "peak_x": x,
            "peak_y": y,
            "map": "/".join(named) if made else "",
            "overlay": f"{each.file.name}/{folder_name(method)}.png" if made else "",
        }


def _peak(answer: Answer) -> tuple[int | None, int | None]:
    if answer.heat is None or answer.status != OK:
        return None, None
    y, x = np.unravel_index(int(answer.heat.argmax()), answer.heat.shape)
    return int(x), int(y)


def _sheet(each: Explanation) -> GridRow:
    maps: dict[str, NDArray[np.float32]] = {}
    for method, answer in each.answers.items():
        if answer.heat is not None:
            wrong = "" if answer.status == OK else f"\n{answer.status}"
            maps[f"{method}{wrong}"] = answer.heat
    caption = each.file.name
    if not isnan(each.confidence):
        caption += f"\npredicted: {each.prediction}, {each.confidence:.2f}"
    targets = dict.fromkeys(a.target for a in each.answers.values() if a.target)
    if targets and list(targets) != [each.prediction]:
        caption += f"\nexplained: {', '.join(targets)}"
    return GridRow(caption, each.image, None, maps)
