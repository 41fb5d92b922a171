"""Boxes as wsolevaluation draws them, so that its numbers can be compared (choe2020wsol).

Maps have 256 steps; a part's outline is found by OpenCV, that of a hole, too, and the largest part
is the one whose outline encloses the largest area; a map's box reaches one pixel too far to the
right and down, unless the image ends there, and the truth's doesn't. Boxes are those of
`core.boxes`: bottom and right exclusive.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from xaibench.core.boxes import Boxes, Numbers, Which, boxes_of, jaccard_of_boxes

_STEPS = 255


def fits_by_contours(
    heat: Numbers,
    truth: NDArray[np.bool_],
    overlaps: Sequence[float],
    count: int,
    which: Which,
) -> NDArray[np.float64]:
    """Return how well the boxes of a map fit those of the truth's parts, ``(overlaps, count)``.

    1 where a box around the pixels above a threshold overlaps one of the truth's boxes by that
    Jaccard index, else 0. Thresholds are 0, 1 / count, 2 / count, ... of the map's maximum, rounded
    down to a step, and a pixel has to lie above.

    Args:
        heat: ``(H, W)`` in [0, 1].
        truth: ``(H, W)``.
        overlaps: Jaccard indices that count as a fit.
        count: number of thresholds.
        which: the box of the ``largest`` part, or the best of the boxes of ``all``.
    """
    steps = (heat.astype(np.float64) * _STEPS).astype(np.uint8)
    wanted, targets = np.array(overlaps), boxes_of(truth)
    highest = int(steps.max())
    by_step = np.zeros((highest, len(overlaps)))
    present = np.bincount(steps.ravel(), minlength=highest + 1) > 0
    for step in range(highest):
        if step and not present[step]:
            by_step[step] = by_step[step - 1]  # the same pixels lie above
            continue
        best = jaccard_of_boxes(_boxes_above(steps, step, which), targets).max(initial=0)
        by_step[step] = best >= wanted
    if not highest:
        return np.zeros((len(overlaps), count))
    reached: NDArray[np.float64] = by_step[(np.arange(0, 1, 1 / count) * highest).astype(int)]
    return reached.T


def _boxes_above(steps: NDArray[np.uint8], step: int, which: Which) -> Boxes:
    above = (steps > step).astype(np.uint8)
    left, top, width, height = (_around_all(above) if which == "all" else _around_largest(above)).T
    ends = np.stack([top + height + 1, left + width + 1], axis=1)
    return np.concatenate([np.stack([top, left], axis=1), np.minimum(ends, steps.shape)], axis=1)


def _around_largest(above: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return left, top, width and height around the outline of the largest area, ``(1, 4)``."""
    outlines = cv2.findContours(above, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)[0]
    # One or two points enclose nothing.
    found = max((o for o in outlines if len(o) > 2), key=cv2.contourArea, default=outlines[0])  # noqa: PLR2004
    chosen = found if cv2.contourArea(found) else outlines[0]
    return np.array([cv2.boundingRect(chosen)], np.int64)


def _around_all(above: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the same of all parts, and of their holes with the pixels around them, ``(n, 4)``."""
    parts = cv2.connectedComponentsWithStats(above, connectivity=8)[2][1:, :4]
    holes = cv2.connectedComponentsWithStats(1 - above, connectivity=4)[2][1:, :4]
    first, last = holes[:, :2] - 1, holes[:, :2] + holes[:, 2:]
    inside = (first >= 0).all(axis=1) & (last < above.shape[::-1]).all(axis=1)
    around = np.concatenate([first, holes[:, 2:] + 2], axis=1)[inside]
    return np.concatenate([parts, around]).astype(np.int64)
