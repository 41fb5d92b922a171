"""Which pixels lie inside an outline. Corners count in pixels: the first pixel's center is 0.5."""

import numpy as np
from numpy.typing import NDArray

Corners = NDArray[np.float64]
Region = NDArray[np.bool_]


def fill_polygon(corners: Corners, shape: tuple[int, int]) -> Region:
    """Return the pixels ``(H, W)`` whose center lies inside a polygon.

    Those have an odd number of edges to their left, at their center's height. Libraries that draw
    polygons either mark every pixel that the outline touches, or ask of every pixel anew, which
    takes a hundred times as long.

    Args:
        corners: ``(n, 2)``, x and y.
        shape: of the image.
    """
    height, width = shape
    (x, y), (next_x, next_y) = corners.T, np.roll(corners, -1, axis=0).T
    middle = np.arange(height) + 0.5
    row, edge = np.nonzero((y <= middle[:, None]) != (next_y <= middle[:, None]))
    slope = (next_x - x)[edge] / (next_y - y)[edge]
    crossing = x[edge] + slope * (middle[row] - y[edge])
    column = np.ceil(crossing - 0.5).clip(0, width).astype(np.intp)
    crossed = np.zeros((height, width + 1), np.uint8)
    np.add.at(crossed, (row, column), 1)
    inside: Region = crossed.cumsum(axis=1, dtype=np.uint8)[:, :width] % 2 == 1
    return inside


def fill_ellipse(
    center: tuple[float, float],
    radii: tuple[float, float],
    degrees: float,
    shape: tuple[int, int],
) -> Region:
    """Return the pixels ``(H, W)`` whose center lies in an ellipse, turned clockwise as drawn."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    x, y = columns + 0.5 - center[0], rows + 0.5 - center[1]
    turn = np.deg2rad(degrees)
    along = x * np.cos(turn) + y * np.sin(turn)
    across = y * np.cos(turn) - x * np.sin(turn)
    inside: Region = (along / radii[0]) ** 2 + (across / radii[1]) ** 2 <= 1
    return inside


def area_of(corners: Corners) -> float:
    """Return a polygon's area, by the shoelace formula."""
    x, y = corners.T
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)


def corners_of_box(left: float, top: float, right: float, bottom: float) -> Corners:
    """Return a box as a polygon, ``(4, 2)``."""
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.float64)
