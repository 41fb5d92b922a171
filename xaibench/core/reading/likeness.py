"""How alike two pictures are in their details, wherever each detail has moved a little."""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.fft import irfft2, rfft2
from scipy.ndimage import gaussian_filter

SIDE = 128
"""Side of the square pictures that are compared."""

_TILE, _REACH = 26, 12
_PLACES = 2 * _REACH + 1
_WINDOW = _TILE + 2 * _REACH  # 50, which is fast to transform
_WHOLE_WINDOW = (_WINDOW, _WINDOW)
# Grays are whole numbers. A tile no livelier than their rounding tells nothing.
_ROUNDING = _TILE / np.sqrt(12)


@dataclass(frozen=True)
class Details:
    """A thumbnail prepared for comparing: 16 tiles, and the window around each to search in."""

    tiles: NDArray[np.complex64]
    windows: NDArray[np.complex64]
    liveliness: NDArray[np.float32]
    spreads: NDArray[np.float32]


def prepare_details(thumbnail: NDArray[np.uint8]) -> Details:
    """Cut a ``(128, 128)`` thumbnail, without what is smooth in it, into 16 tiles and windows."""
    sharp = _sharpen(thumbnail)
    windows = _cut(sharp, _WINDOW)
    tiles = windows[:, _REACH:-_REACH, _REACH:-_REACH]
    tiles = tiles - tiles.mean((1, 2), keepdims=True)
    liveliness = np.linalg.norm(tiles, axis=(1, 2))
    tiles /= np.maximum(liveliness, _ROUNDING)[:, None, None]
    squares = _sum_tiles(sharp**2) - _sum_tiles(sharp) ** 2 / _TILE**2
    spreads = np.sqrt(np.maximum(squares, _ROUNDING**2)).astype(np.float32)
    return Details(
        rfft2(tiles, _WHOLE_WINDOW).conj(), rfft2(windows), liveliness, _cut(spreads, _PLACES)
    )


def likeness(one: Details, other: Details) -> float:
    """Return how well the tiles of each are found again in the other, from 0 to 1.

    A tile may have moved by 12 of 128 pixels, so that a picture that was cropped, stretched or
    scanned anew a moment later is still alike. Its score is the normalized cross-correlation at the
    best place; tiles count by their liveliness. The smaller of both directions is returned, and 0
    for a picture without any detail.
    """
    return min(_find(one, other), _find(other, one))


def _find(one: Details, other: Details) -> float:
    total = float(one.liveliness.sum())
    if not total:
        return 0.0
    products = irfft2(one.tiles * other.windows, _WHOLE_WINDOW)[:, :_PLACES, :_PLACES]
    best = (products / other.spreads).max((1, 2))
    return float(best @ one.liveliness) / total


def _sharpen(grays: NDArray[np.generic]) -> NDArray[np.float32]:
    values = grays.astype(np.float32)
    return np.asarray(values - gaussian_filter(values, 1), np.float32)


def _cut(values: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Return the 16 squares ``(16, side, side)`` that begin where the windows do."""
    squares = sliding_window_view(values, (side, side))[::_TILE, ::_TILE]
    return squares.reshape(-1, side, side)


def _sum_tiles(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the sum over a tile at every place, ``(103, 103)``."""
    corners = np.pad(values, ((1, 0), (1, 0))).cumsum(0, np.float64).cumsum(1)
    below, above = corners[_TILE:], corners[:-_TILE]
    sums = below[:, _TILE:] - below[:, :-_TILE] - above[:, _TILE:] + above[:, :-_TILE]
    return np.asarray(sums, np.float64)
