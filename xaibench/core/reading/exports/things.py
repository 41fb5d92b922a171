"""Objects in an image: what they are called, and which pixels they cover."""

import io
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from xaibench.core.reading.fill import area_of, fill_ellipse, fill_polygon

Shape = tuple[int, int]
Region = NDArray[np.bool_]
Bounds = tuple[float, float, float, float]


class Thing(NamedTuple):
    """One object.

    ``fill`` gives its pixels ``(H, W)`` in an image of a shape; ``area`` is in any unit that an
    image's objects share, and 0 of what covers nothing. Pixels of what isn't ``counted``, such as
    crowds, are left open. ``bounds`` are left, top, right and bottom in pixels, where it has any.
    """

    name: str
    area: float
    fill: Callable[[Shape], Region]
    counted: bool = True
    bounds: Bounds | None = None


def read_name(told: Any) -> str:
    """Return what an object is called, without blanks around it.

    Raises:
        ValueError: it has no name.
    """
    name = str(told).strip() if isinstance(told, str | int | float) else ""
    if not name:
        raise ValueError("an object has no name")
    return name


def polygon(name: str, corners: NDArray[np.float64]) -> Thing:
    """Return what lies inside a polygon in pixels, ``(n, 2)``."""
    bounds = bounds_of(corners)
    return Thing(name, area_of(corners), partial(fill_polygon, corners), bounds=bounds)


def share_polygon(name: str, corners: NDArray[np.float64]) -> Thing:
    """Return what lies inside a polygon in shares of the image's sides, ``(n, 2)``."""
    left, top, right, bottom = bounds_of(corners)
    seen = left < 1 and top < 1 and right > 0 and bottom > 0
    return Thing(name, area_of(corners) * seen, partial(_fill_shares, corners))


def ellipse(
    name: str, center: tuple[float, float], radii: tuple[float, float], degrees: float = 0.0
) -> Thing:
    """Return what lies inside an ellipse in pixels."""
    area, far = float(np.pi * radii[0] * radii[1]), max(radii)
    around = np.array(center) + np.array([[-far, -far], [far, far]])
    fill = partial(fill_ellipse, center, radii, degrees)
    return Thing(name, area, fill, bounds=bounds_of(around))


def share_ellipse(
    name: str, center: tuple[float, float], radii: tuple[float, float], degrees: float = 0.0
) -> Thing:
    """Return what lies inside an ellipse in shares of the image's sides."""
    area = float(np.pi * radii[0] * radii[1])
    return Thing(name, area, partial(_fill_share_ellipse, center, radii, degrees))


def drawn(name: str, pixels: Region, left: int = 0, top: int = 0) -> Thing:
    """Return the pixels that are marked in a picture whose corner lies at ``(left, top)``."""
    bounds = (left, top, left + pixels.shape[1], top + pixels.shape[0])
    return Thing(name, float(pixels.sum()), partial(_paste, pixels, left, top), bounds=bounds)


def bounds_of(corners: NDArray[np.float64]) -> Bounds:
    """Return left, top, right and bottom of some points ``(n, 2)``.

    Raises:
        ValueError: one of them isn't finite.
    """
    if not np.isfinite(corners).all():
        raise ValueError("a corner that is no number")
    (left, top), (right, bottom) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    return left, top, right, bottom


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
