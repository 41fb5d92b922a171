"""The colors by which Pascal VOC's masks show indices: read from masks in RGB, and drawn."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

_COLORS, _BITS = 256, 8


def indices_of(pixels: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """Return the index ``(H, W)`` of each pixel of an RGB mask; None where a color has none.

    Args:
        pixels: ``(H, W, 3)``.
    """
    coded = _code(pixels)
    known, order = _palette()
    place = np.searchsorted(known, coded).clip(max=_COLORS - 1)
    return order[place] if bool((known[place] == coded).all()) else None


@cache
def _palette() -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """Return the colors as sorted numbers, and the index of each."""
    coded = _code(colors())
    order = np.argsort(coded)
    return coded[order], order.astype(np.uint8)


def colors() -> NDArray[np.uint8]:
    """Return the color ``(256, 3)`` of each index.

    Bits 0, 3 and 6 of an index are the highest bits of its red, bits 1, 4 and 7 of its green, and
    bits 2 and 5 of its blue.
    """
    index = np.arange(_COLORS)
    found = np.zeros((_COLORS, 3), np.uint8)
    for channel in range(3):
        for step, bit in enumerate(range(channel, _BITS, 3)):
            found[:, channel] |= (((index >> bit) & 1) << (_BITS - 1 - step)).astype(np.uint8)
    return found


def _code(pixels: NDArray[np.uint8]) -> NDArray[np.int32]:
    red, green, blue = np.moveaxis(pixels.astype(np.int32), -1, 0)
    return np.asarray((red << 16) | (green << 8) | blue)
