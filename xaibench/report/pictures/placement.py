"""Labels beside points, without overlap as far as there is room."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_RINGS, _DIRECTIONS = (4.0, 8.0, 14.0, 22.0, 32.0, 44.0, 60.0, 80.0), 16
_DOT = 3.0
_FAR = 0.02  # of a square point for each point of distance, so that the nearest free place wins
_OUTSIDE = 50.0


def place_labels(points: Floats, sizes: Floats, sheet: Sequence[float]) -> Floats:
    """Return the center of each label, ``(N, 2)``, one after another where it covers least.

    Args:
        points: ``(N, 2)``, all in points of a sheet.
        sizes: ``(N, 2)``, width and height of each label.
        sheet: width and height, which labels had better not leave.
    """
    angles = np.arange(_DIRECTIONS) * 2 * np.pi / _DIRECTIONS
    # The right side first, where readers expect a label.
    ways = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    boxes = np.concatenate([points - _DOT, points + _DOT], axis=1)
    found = np.zeros_like(points)
    for at, (point, size) in enumerate(zip(points, sizes, strict=True)):
        steps = [way * (ring + size / 2 * np.abs(way)) for ring in _RINGS for way in ways]
        centers = point + np.array(steps)
        tried = np.concatenate([centers - size / 2, centers + size / 2], axis=1)
        beyond = np.maximum(-tried[:, :2], 0) + np.maximum(tried[:, 2:] - np.asarray(sheet), 0)
        cost = _covered(tried, boxes) + _OUTSIDE * beyond.sum(axis=1)
        best = int(np.argmin(cost + _FAR * np.hypot(*np.array(steps).T)))
        found[at] = centers[best]
        boxes = np.concatenate([boxes, tried[best : best + 1]])
    return found


def _covered(tried: Floats, boxes: Floats) -> Floats:
    """Return the area of each box (left, bottom, right, top) that others cover."""
    low = np.maximum(tried[:, None, :2], boxes[None, :, :2])
    high = np.minimum(tried[:, None, 2:], boxes[None, :, 2:])
    return np.asarray(np.maximum(high - low, 0).prod(axis=2).sum(axis=1), float)
