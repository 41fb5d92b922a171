"""Where the middle of one picture lies in another, which may be turned, cropped or moved."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

SIDE = 192
"""Side of the square thumbnails that are compared."""

_COARSE, _PATCH = 48, 16
_START, _SIZE = 0.2, 0.6
"""The middle: what any crop by a fifth leaves, on whichever side."""
_CUTS = (0.0, 0.1, 0.2, 0.3, 0.4)
_STEP = 0.06
_FINE_SIZES, _FINE_MOVES = (0.95, 1.0, 1.05), (-0.03, -0.015, 0.0, 0.015, 0.03)
FLIPS, TURNS = 4, 2
"""Mirrors without a quarter turn, and with one or without."""

Span = tuple[float, float]
"""Start and size along one axis, as shares of the side."""


class Placing(NamedTuple):
    """How a picture lies on another: flipped how, and which part of each both show.

    Boxes are (left, top, right, bottom) as shares of the sides, that of the first picture after the
    flip. ``correlation`` is that of the first one's middle with where it was found.
    """

    flip: int
    first: tuple[float, float, float, float]
    second: tuple[float, float, float, float]
    correlation: float


def flip_by(picture: NDArray[np.generic], flip: int) -> NDArray[np.generic]:
    """Return a picture ``(H, W)`` as it is (0), mirrored (1), upside down (2), or both (3).

    From 4 on it is transposed before: all eight ways in which right angles and mirrors turn it.
    """
    turned = picture.T if flip & 4 else picture
    return turned[:: -1 if flip & 2 else 1, :: -1 if flip & 1 else 1]


def sketch(thumbnail: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the coarse detail ``(48, 48)`` of a thumbnail, everywhere of about the same contrast.

    Args:
        thumbnail: ``(192, 192)``.
    """
    cell = SIDE // _COARSE
    cells = thumbnail.reshape(_COARSE, cell, _COARSE, cell).mean((1, 3), dtype=np.float32)
    detail = gaussian_filter(cells, 0.8) - gaussian_filter(cells, 3)
    contrast = np.sqrt(gaussian_filter(detail * detail, 5))
    return np.asarray(detail / (contrast + contrast.mean() / 4 + 1e-3), np.float32)


def cut_middles(sketches: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return ``(N, 8, 256)``: the middle of each sketch in the eight flips, as rows of length 1."""
    middles = np.stack([_MIDDLE @ each @ _MIDDLE.T for each in sketches])
    flipped = [[flip_by(middle, flip) for flip in range(FLIPS * TURNS)] for middle in middles]
    return _normalize(np.array(flipped).reshape(len(middles), FLIPS * TURNS, -1))


def cut_windows(sketched: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return all windows of a sketch in which a middle is looked for, as rows of length 1."""
    return _cut(sketched, _WINDOWS, len(_SPANS))


def find_middles(middles: NDArray[np.float32], windows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how well each middle, in each flip, is found in some windows: ``(N, F)``.

    It is the highest correlation; in which window is asked of few (`find_window`).
    """
    products = windows @ middles.reshape(-1, middles.shape[-1]).T
    return np.asarray(products.max(axis=0).reshape(middles.shape[:2]), np.float32)


def find_window(middle: NDArray[np.float32], windows: NDArray[np.float32]) -> int:
    """Return the window that is most like one middle in one flip, ``(256,)``."""
    return int((windows @ middle).argmax())


def settle_place(
    one: NDArray[np.float32], other: NDArray[np.float32], flip: int, window: int
) -> Placing:
    """Look more closely around the window that `find_window` found for one sketch in another."""
    around = [_look_around(_SPANS[place]) for place in divmod(window, len(_SPANS))]
    rows, columns = (_sampling(spans) for spans in around)
    middle = cut_middles([one])[0, flip]
    products = _cut(other, (rows, columns), len(around[0])) @ middle
    best = int(products.argmax())
    vertical, horizontal = (
        spans[place] for spans, place in zip(around, divmod(best, len(around[0])), strict=True)
    )
    (top, bottom), (over, under) = _shared(vertical)
    (left, right), (from_, to) = _shared(horizontal)
    first, second = (left, top, right, bottom), (from_, over, to, under)
    return Placing(flip, first, second, float(products[best]))


def _shared(span: Span) -> tuple[Span, Span]:
    """Return from where to where both show the same, in the first picture and in the second."""
    start, size = span
    scale = size / _SIZE
    begin = max(0.0, _START - start / scale)
    end = min(1.0, _START + (1 - start) / scale)
    ends = (max(0.0, start + scale * (begin - _START)), min(1.0, start + scale * (end - _START)))
    return (begin, end), ends


def _list_spans() -> list[Span]:
    """Return where the middle may lie along one axis, in a copy that moved or lost a part of it."""
    spans = [(_START + move, _SIZE) for move in (-_STEP, 0, _STEP)]
    for cut in _CUTS[1:]:
        size = _SIZE / (1 - cut)
        least, most = max(0, _START - cut) / (1 - cut), min(_START / (1 - cut), 1 - size)
        starts = np.linspace(least, most, max(1, round((most - least) / _STEP)) + 1)
        # More than a fifth is lost only on both sides.
        near = [s for s in starts if cut <= _START or abs(s + size / 2 - 0.5) < _STEP]
        spans += [(float(start), size) for start in near]
    return spans


def _look_around(span: Span) -> list[Span]:
    start, size = span
    found = []
    for factor in _FINE_SIZES:
        new = min(1.0, size * factor)
        starts = (start + (size - new) / 2 + move for move in _FINE_MOVES)
        found += [(min(max(each, 0.0), 1 - new), new) for each in starts]
    return found


def _sampling(spans: Sequence[Span]) -> NDArray[np.float32]:
    """Return ``(16 S, 48)``, which takes 16 samples of a row of 48 in each of S spans."""
    starts, sizes = np.array(spans)[..., None].transpose(1, 0, 2)
    places = (starts + sizes * (np.arange(_PATCH) + 0.5) / _PATCH).reshape(-1) * _COARSE - 0.5
    weights = 1 - np.abs(np.clip(places, 0, _COARSE - 1)[:, None] - np.arange(_COARSE))
    return np.asarray(np.maximum(weights, 0), np.float32)


def _cut(
    sketched: NDArray[np.float32], axes: tuple[NDArray[np.float32], NDArray[np.float32]], count: int
) -> NDArray[np.float32]:
    """Return the windows ``(count ** 2, 256)`` of a sketch as rows of length 1."""
    sampled = np.asarray(axes[0] @ sketched @ axes[1].T, np.float32)
    sampled = sampled.reshape(count, _PATCH, count, _PATCH)
    return _normalize(sampled.transpose(0, 2, 1, 3).reshape(count**2, -1))


def _normalize(rows: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    rows = rows - rows.mean(axis=-1, keepdims=True)
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.asarray(rows / np.maximum(lengths, 1e-6), np.float32)


_SPANS = _list_spans()
_MIDDLE = _sampling([(_START, _SIZE)])
_WINDOWS = (_sampling(_SPANS),) * 2
