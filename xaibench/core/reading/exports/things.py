"""Objects in an image: what they are called, and which pixels they cover."""

import io
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from xaibench.core.reading.fill import area_of, fill_ellipse, fill_polygon

Shape = tuple[int, int]
Region = NDArray[np.bool_]


class Thing(NamedTuple):
    """One object.

    ``fill`` gives its pixels ``(H, W)`` in an image of a shape; ``area`` is in any unit that an
    image's objects share. Pixels of what isn't ``counted``, such as crowds, are left open.
    """

    name: str
    area: float
    fill: Callable[[Shape], Region]
    counted: bool = True


def polygon(name: str, corners: NDArray[np.float64]) -> Thing:
    """Return what lies inside a polygon in pixels, ``(n, 2)``."""
    return Thing(name, area_of(corners), partial(fill_polygon, corners))


def share_polygon(name: str, corners: NDArray[np.float64]) -> Thing:
    """Return what lies inside a polygon in shares of the image's sides, ``(n, 2)``."""
    return Thing(name, area_of(corners), partial(_fill_shares, corners))


def ellipse(
    name: str, center: tuple[float, float], radii: tuple[float, float], degrees: float = 0.0
) -> Thing:
    """Return what lies inside an ellipse in pixels."""
    area = float(np.pi * radii[0] * radii[1])
    return Thing(name, area, partial(fill_ellipse, center, radii, degrees))


def share_ellipse(
    name: str, center: tuple[float, float], radii: tuple[float, float], degrees: float = 0.0
) -> Thing:
    """Return what lies inside an ellipse in shares of the image's sides."""
    area = float(np.pi * radii[0] * radii[1])
    return Thing(name, area, partial(_fill_share_ellipse, center, radii, degrees))


def drawn(name: str, pixels: Region, left: int = 0, top: int = 0) -> Thing:
    """Return the pixels that are marked in a picture whose corner lies at ``(left, top)``."""
    return Thing(name, float(pixels.sum()), partial(_paste, pixels, left, top))


def read_png(content: bytes) -> Region:
    """Return what isn't black in a PNG that is in a text file.

    Raises:
        OSError: it is none.
    """
    with Image.open(io.BytesIO(content), formats=("PNG",)) as image:
        return np.asarray(image.convert("L")) > 0


def _fill_shares(corners: NDArray[np.float64], shape: Shape) -> Region:
    return fill_polygon(corners * shape[::-1], shape)


def _fill_share_ellipse(
    center: tuple[float, float], radii: tuple[float, float], degrees: float, shape: Shape
) -> Region:
    height, width = shape
    return fill_ellipse(
        (center[0] * width, center[1] * height),
        (radii[0] * width, radii[1] * height),
        degrees,
        shape,
    )


def _paste(pixels: Region, left: int, top: int, shape: Shape) -> Region:
    whole = np.zeros(shape, np.bool_)
    rows, columns = slice(max(top, 0), top + pixels.shape[0]), slice(max(left, 0), None)
    part = whole[rows, columns][:, : pixels.shape[1] - max(-left, 0)]
    part |= pixels[max(-top, 0) :, max(-left, 0) :][: part.shape[0], : part.shape[1]]
    return whole
