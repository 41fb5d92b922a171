"""Pixels as text that a page can hold: maps exactly, images nearly, outlines as paths."""

import io
import zlib
from base64 import b64encode
from collections.abc import Sequence
from typing import NamedTuple

import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage.measure import approximate_polygon
from torch import Tensor

from xaibench.core.overlap import GRID, thresholds_reached
from xaibench.report.pictures.outline import Polyline, outlines
from xaibench.report.pictures.overlay import HEAT, OPAQUE

_LONGEST, _QUALITY = 256, 82
_EFFORT, _NEAR = 6, 0.35  # of zlib; pixels of the preview
Packed = tuple[int, str]


class Preview(NamedTuple):
    """A small copy of an image as a data URI, its size in pixels, and its mask's outlines.

    ``outline`` holds an SVG path for each positive grade of the mask, ascending, in pixels of the
    preview.
    """

    uri: str
    width: int
    height: int
    outline: Sequence[str]


def levels_of(finished: Tensor) -> NDArray[np.uint8]:
    """Return how many hundredths of its maximum each pixel of a map reaches, ``(H, W)``, 0 to 100.

    A threshold of ``k / 100`` marks exactly the pixels whose level is k or more. A map of zeros
    reaches none.
    """
    found: NDArray[np.uint8] = thresholds_reached(finished[None], GRID)[0].numpy().astype(np.uint8)
    return found


def pack(levels: NDArray[np.uint8]) -> Packed:
    """Pack ``(H, W)`` without loss: how often differences were taken, and zlib's bytes as base64.

    Differences (modulo 256) run along rows, then along columns; the smallest of none, one and
    both is kept. A browser unpacks that to the bit, where pictures may not survive a canvas:
    some browsers add noise to what a page reads back.
    """
    zero = np.uint8(0)
    along = np.diff(levels, axis=1, prepend=zero)
    both = np.diff(along, axis=0, prepend=zero)
    packed = [_deflate(pixels.tobytes()) for pixels in (levels, along, both)]
    taken = min(range(len(packed)), key=lambda at: len(packed[at]))
    return taken, b64encode(packed[taken]).decode()


def preview(image: NDArray[np.uint8], mask: NDArray[np.int8] | None) -> Preview:
    """Return a small copy of an image ``(H, W, 3)`` and of its mask ``(H, W)`` or None."""
    small = Image.fromarray(image)
    small.thumbnail((_LONGEST, _LONGEST))
    buffer = io.BytesIO()
    small.save(buffer, "jpeg", quality=_QUALITY)
    uri = f"data:image/jpeg;base64,{b64encode(buffer.getvalue()).decode()}"
    size = np.array((small.width, small.height))
    paths = [] if mask is None else [_path(lines, size) for lines in outlines(mask)]
    return Preview(uri, small.width, small.height, paths)


def heat_table() -> list[list[int]]:
    """Return red, green, blue and opacity of each level, 0 to 255: more relevant, more opaque."""
    share = np.linspace(0, 1, len(GRID) + 1)
    colors = matplotlib.colormaps[HEAT](share)
    colors[:, 3] = OPAQUE * share
    table: list[list[int]] = np.rint(255 * colors).astype(int).tolist()
    return table


def _deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(_EFFORT, strategy=zlib.Z_FILTERED)
    return packer.compress(data) + packer.flush()


def _path(lines: Sequence[Polyline], size: NDArray[np.int64]) -> str:
    pieces = []
    for line in lines:
        corners = approximate_polygon(line * size, _NEAR)
        pieces.append(f"M{' '.join(f'{x:.1f},{y:.1f}' for x, y in corners)}Z")
    return "".join(pieces)
