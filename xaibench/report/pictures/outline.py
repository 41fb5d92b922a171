"""Where a mask ends, as lines to be drawn over its image at any size."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from skimage.measure import find_contours

Polyline = NDArray[np.float64]
COLOR = "#2ee6ff"
"""Inferno has no green and no blue: an outline of this can't be taken for heat."""


def outlines(mask: NDArray[np.int8]) -> Sequence[Sequence[Polyline]]:
    """Return the closed lines round each positive grade of ``(H, W)`` and above, ascending.

    Each line is ``(n, 2)``: x and y as shares of width and height, from the top left corner.
    """
    size = mask.shape[::-1]
    # The border of zeros closes lines that meet the image's edge.
    padded = np.pad(mask, 1)
    return [
        [
            np.clip((line[:, ::-1] - 0.5) / size, 0, 1)
            for line in find_contours((padded >= grade).astype(float), 0.5)
        ]
        for grade in np.unique(mask)
        if grade > 0
    ]
