"""A heat map over the picture that it explains, pixel by pixel at the picture's own size."""

import matplotlib
import numpy as np
from numpy.typing import NDArray

HEAT, OPAQUE = "inferno", 0.8
"""Perceptually uniform; how opaque the most relevant pixels are."""


def overlay(image: NDArray[np.uint8], heat: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Lay heat over a picture: the more relevant a pixel, the more opaque its heat.

    Args:
        image: ``(H, W, 3)``.
        heat: ``(H, W)`` in [0, 1].

    Returns:
        ``(H, W, 3)``; where the heat is 0 the picture is as it was.
    """
    colors = matplotlib.colormaps[HEAT](heat)[..., :3] * 255
    share = OPAQUE * heat[..., None]
    blended: NDArray[np.uint8] = np.rint(image * (1 - share) + colors * share).astype(np.uint8)
    return blended
