"""The folder of features: filters, feature maps and patches as sheets of pictures, and a table."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xaibench.core.csv_cells import to_csv
from xaibench.core.explanation import LayerFeatures, Patch
from xaibench.core.store import folder_name, write_with
from xaibench.report.pictures.mosaic import draw_mosaic

_ACROSS = 8
PATCHES_FILE, FILTERS_FILE = "patches.csv", "filters.png"


def write_filters(filters: NDArray[np.uint8], layer: str, out: Path) -> None:
    """Write ``filters.png``.

    Args:
        filters: ``(D, h, w, 3)``.
        layer: whose they are.
        out: the folder.
    """
    title = f"Filters of {layer}: gray is 0, black or white is a filter's largest absolute value"
    _draw(list(filters), title, out / FILTERS_FILE)


def write_features(found: Sequence[LayerFeatures], names: Sequence[str], out: Path) -> None:
    """Write ``maps-LAYER.png`` and ``patches-LAYER.png`` of each layer, and ``patches.csv``.

    Args:
        found: of each layer.
        names: of the pictures; the maps are those of the first.
        out: the folder.
    """
    for each in found:
        title = f"Maps of {each.layer}, {names[0]}: each from its lowest value to its highest"
        _draw(list(each.maps), title, out / f"maps-{folder_name(each.layer)}.png")
        lines = [
            [patch for patch in each.patches if patch.channel == channel]
            for channel in dict.fromkeys(patch.channel for patch in each.patches)
        ]
        draw_mosaic(
            [[patch.pixels for patch in line] for line in lines],
            [f"channel {line[0].channel}" for line in lines],
            f"What excites {each.layer} most in {len(names)} pictures",
            out / f"patches-{folder_name(each.layer)}.png",
        )
    rows = [_row(each.layer, names, patch) for each in found for patch in each.patches]
    write_with(out / PATCHES_FILE, partial(to_csv, pd.DataFrame(rows)))


def _draw(tiles: list[NDArray[np.uint8]], title: str, file: Path) -> None:
    starts = range(0, len(tiles), _ACROSS)
    draw_mosaic(
        [tiles[start : start + _ACROSS] for start in starts], [str(n) for n in starts], title, file
    )


def _row(layer: str, names: Sequence[str], patch: Patch) -> dict[str, object]:
    place = dict(zip(("left", "top", "right", "bottom"), patch.place, strict=True))
    named = {"layer": layer, "channel": patch.channel, "picture": names[patch.picture]}
    return {**named, "activation": patch.value, **place}
