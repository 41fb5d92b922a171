"""Many small pictures as one sheet."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from xaibench.core.store import replacing
from xaibench.report.pictures.drawing import FONT, new_figure, styled
from xaibench.report.pictures.shown_rows import fold

_TILE, _GAP = 72, 4  # pixels
_DPI, _NAMES, _HEAD, _WIDE = 100, 0.9, 0.45, 1.5  # of the latter inches
_LONGEST = 22  # letters of a line


@styled
def draw_mosaic(
    rows: Sequence[Sequence[NDArray[np.uint8]]], names: Sequence[str], title: str, file: Path
) -> None:
    """Draw rows of pictures ``(H, W)`` or ``(H, W, 3)``, each in a square, with the rows' names.

    Raises:
        XaibenchError: the folder can't be written.
    """
    step, across = _TILE + _GAP, max(len(row) for row in rows)
    sheet = np.full((len(rows) * step, across * step, 3), 255, np.uint8)
    for y, row in enumerate(rows):
        for x, picture in enumerate(row):
            tile = _fitted(picture)
            sheet[y * step :, x * step :][: tile.shape[0], : tile.shape[1]] = tile
    height, width = sheet.shape[0] / _DPI, sheet.shape[1] / _DPI
    figure = new_figure((width + _NAMES, height + _HEAD), _DPI)
    whole = (width + _NAMES, height + _HEAD)
    axes = figure.add_axes((_NAMES / whole[0], 0, width / whole[0], height / whole[1]))
    axes.imshow(sheet, interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks(np.arange(len(rows)) * step + _TILE / 2, names)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    figure.text(0.01, 1 - 0.2 / whole[1], title, size=FONT)
    with replacing(file) as path:
        figure.savefig(path, format="png", dpi=_DPI)


def _fitted(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a picture in color, its longer side as long as a tile."""
    height, width = picture.shape[:2]
    scale = _TILE / max(height, width)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    image = Image.fromarray(picture).convert("RGB")
    return np.asarray(image.resize(size, Image.Resampling.NEAREST))


@styled
def draw_strip(
    pictures: Sequence[NDArray[np.uint8]], captions: Sequence[str], title: str, file: Path
) -> None:
    """Draw pictures ``(H, W, 3)`` in a line, a caption below each.

    Raises:
        XaibenchError: the folder can't be written.
    """
    figure = new_figure((_WIDE * len(pictures), _WIDE + 2 * _HEAD), _DPI, layout="constrained")
    figure.suptitle(title, size=FONT, parse_math=False)
    for axes, picture, caption in zip(
        np.ravel(figure.subplots(1, len(pictures))), pictures, captions, strict=True
    ):
        axes.imshow(picture)
        axes.set(xticks=[], yticks=[])
        lines = [fold(line, _LONGEST) for line in caption.split("\n")]
        axes.set_xlabel("\n".join(lines), size=FONT - 1, parse_math=False)
    with replacing(file) as path:
        figure.savefig(path, format="png", dpi=_DPI)
