"""Boxes around the connected parts of regions, over many thresholds.

A box is (top, left, bottom, right) in pixels, bottom and right exclusive: a single pixel's box has
area 1. Pixels that touch at a corner are connected.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Which = Literal["largest", "all"]
Numbers = NDArray[Any]
Boxes = NDArray[np.int64]
_NEIGHBORS = np.ones((3, 3), bool)


def fits_by_level(
    levels: Numbers, truth: NDArray[np.bool_], overlaps: Sequence[float], count: int, which: Which
) -> NDArray[np.float64]:
    """Return how well the boxes of a map fit those of the truth's parts, ``(overlaps, count)``.

    1 where a box of the pixels that reach the level overlaps one of the truth's boxes by that
    Jaccard index, else 0; where several parts are the largest, the share of them that do.

    Args:
        levels: ``(H, W)`` how many thresholds each pixel reaches, 0 to ``count``.
        truth: ``(H, W)``.
        overlaps: Jaccard indices that count as a fit.
        count: number of thresholds.
        which: the box of the ``largest`` part, or the best of the boxes of ``all``.
    """
    wanted, targets = np.array(overlaps)[:, None], boxes_of(truth)
    fits = np.zeros((len(overlaps), count))
    for level, boxes in _boxes_by_level(levels, count, which):
        fit = jaccard_of_boxes(boxes, targets).max(axis=1, initial=0) >= wanted
        fits[:, level - 1] = fit.mean(axis=1) if which == "largest" else fit.any(axis=1)
    return fits


def boxes_of(region: NDArray[np.bool_]) -> Boxes:
    """Return the boxes of a region's connected parts, ``(n, 4)``."""
    labels, _ = ndimage.label(region, _NEIGHBORS)
    return _extents(labels[region] - 1, *np.nonzero(region))


def jaccard_of_boxes(ours: Boxes, theirs: Boxes) -> NDArray[np.float64]:
    """Return the Jaccard index of each of our boxes with each of theirs, ``(n, m)``."""
    first = np.maximum(ours[:, None, :2], theirs[None, :, :2])
    last = np.minimum(ours[:, None, 2:], theirs[None, :, 2:])
    shared = np.prod((last - first).clip(min=0), axis=2)
    areas = [np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) for boxes in (ours, theirs)]
    union = areas[0][:, None] + areas[1] - shared
    return np.asarray(shared / union, np.float64)


def _boxes_by_level(levels: Numbers, count: int, which: Which) -> Iterator[tuple[int, Boxes]]:
    """Yield levels downwards, as long as any pixel reaches them, with the boxes of their parts."""
    reached = np.bincount(levels.ravel(), minlength=count + 1)[::-1].cumsum()[::-1]
    rows, columns = levels.max(axis=1), levels.max(axis=0)
    boxes, pixels, before = np.zeros((0, 4), np.int64), 0, 0
    for level in range(int(levels.max()), 0, -1):
        # Once the largest part spans all there is and holds half of it, nothing outgrows it.
        settled = which == "largest" and 2 * pixels >= reached[1] and len(boxes) == 1
        settled = settled and tuple(boxes[0]) == _frame(rows, columns, 1)
        if reached[level] > before and not settled:
            top, left, bottom, right = _frame(rows, columns, level)
            boxes, pixels = _parts(levels[top:bottom, left:right] >= level, which)
            boxes = boxes + np.array([top, left, top, left])
        before = reached[level]
        yield level, boxes


def _parts(region: NDArray[np.bool_], which: Which) -> tuple[Boxes, int]:
    """Return boxes, and the largest part's pixels; the region touches all sides of its frame."""
    labels, count = ndimage.label(region, _NEIGHBORS)
    if count == 1:
        return np.array([[0, 0, *region.shape]]), int(np.count_nonzero(region))
    places = np.flatnonzero(region)
    part = labels.ravel()[places] - 1
    pixels = np.bincount(part)
    if which == "largest":
        largest = pixels == pixels.max()
        if largest.sum() == 1:
            alone = labels == largest.argmax() + 1
            return np.array([_frame(alone.any(axis=1), alone.any(axis=0), 1)]), int(pixels.max())
        tied = largest[part]
        places, part = places[tied], (largest.cumsum() - 1)[part[tied]]
    return _extents(part, *np.divmod(places, region.shape[1])), int(pixels.max())


def _extents(part: Numbers, rows: Numbers, columns: Numbers) -> Boxes:
    """Return the box of each part, from the pixels of all: the part's number, row and column."""
    boxes = np.zeros((int(part.max(initial=-1)) + 1, 4), np.int64)
    boxes[:, :2] = np.iinfo(np.int64).max
    for side, lines in enumerate((rows, columns)):
        np.minimum.at(boxes[:, side], part, lines)
        np.maximum.at(boxes[:, side + 2], part, lines + 1)
    return boxes


def _frame(rows: Numbers, columns: Numbers, level: int) -> tuple[int, int, int, int]:
    """Return the box of all pixels that reach a level, from the maxima of rows and columns."""
    (down,), (along,) = np.nonzero(rows >= level), np.nonzero(columns >= level)
    return int(down[0]), int(along[0]), int(down[-1]) + 1, int(along[-1]) + 1
