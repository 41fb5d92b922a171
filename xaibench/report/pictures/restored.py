"""Original, noisy and reconstructed images beside each other, for the picture grid."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from xaibench.core.findings import IMAGES, PictureRows
from xaibench.core.reading.opening import open_picture
from xaibench.report.judging.analyses import Analysis, first_trained
from xaibench.report.pictures.grid import PictureBlock
from xaibench.results.folder import pixels_file

_RESTORED, _ROWS = "restored", 3  # as the analysis `reconstruction` names its picture


def restored_blocks(analyses: Sequence[Analysis]) -> Iterator[PictureBlock]:
    """Yield for each model that reconstructs its first test images."""
    for each in first_trained(analyses):
        for figure in each.about.figures:
            if isinstance(figure, PictureRows) and figure.name == _RESTORED:
                names = [f"{name}\n{each.place.model}" for name in each.table(IMAGES)["sample"]]
                rows = zip(names, read_pixels(each, figure)[:_ROWS], strict=False)
                yield PictureBlock(figure.headings, [(name, list(row)) for name, row in rows])


def read_pixels(analysis: Analysis, figure: PictureRows) -> NDArray[np.uint8]:
    """Return a figure's square pictures, ``(rows, columns, side, side, 3)``."""
    pixels = np.asarray(open_picture(analysis.folder / pixels_file(figure.name)))
    columns = len(figure.headings)
    side = pixels.shape[1] // columns
    parts = pixels.reshape(len(pixels) // side, side, columns, side, -1)
    return parts.swapaxes(1, 2)
