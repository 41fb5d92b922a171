"""Near-duplicate images: the same scan, saved twice, must never stand on both sides of a split."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from xaibench.core.reading.likeness import SIDE, Coarse, Details, coarsen, likeness, prepare_details

_NEAR_BITS, _NEAR_WHOLE, _NEAR_DETAIL = 8, 0.85, 0.3
"""Signs of a near-duplicate: hashes that differ in so few bits, thumbnails that correlate so much;
neither counts where their coarse details don't correlate at least a little."""

LEAST_LIKENESS = {1: 0.5, 2: 0.45}
"""Likeness from which two images with one sign, or with both, are near-duplicates.

Chosen by eye: on BUSI, views of one lesion reach 0.37 to 1 and others hardly 0.3; of chest
radiographs, all aligned and much alike, no two persons reach 0.44, or 0.43 with both signs.
"""

_ROWS, _COLUMNS = 8, 8
_BITS = _ROWS * _COLUMNS
_BLOCK, _NEIGHBOURHOOD = 512, 128


class Imprint(NamedTuple):
    """What is kept of an image to compare it by: 16 kB, whatever its size."""

    hash: int
    thumbnail: NDArray[np.uint8]


class Pair(NamedTuple):
    """Two near-duplicates by their places, the first one first, and how alike they are."""

    first: int
    second: int
    likeness: float


def take_imprint(image: NDArray[np.uint8]) -> Imprint:
    """Return the difference hash and the grey ``(128, 128)`` thumbnail of an image.

    Args:
        image: ``(H, W, 3)`` or ``(H, W)``; stretched to a square, so that a cropped copy fits.
    """
    grey = Image.fromarray(image).convert("L")
    small = grey.resize((SIDE, SIDE), Image.Resampling.BOX)
    return Imprint(difference_hash(image), np.asarray(small))


def difference_hash(image: NDArray[np.uint8]) -> int:
    """Return 64 bits, row by row: whether it grows brighter from one cell to the next.

    Args:
        image: ``(H, W, 3)`` or ``(H, W)``; shrunk in grey to 8 rows of 9 cells.

    >>> ramp = np.tile(np.arange(90, dtype=np.uint8), (40, 1))
    >>> hex(difference_hash(ramp)), difference_hash(ramp[:, ::-1])
    ('0xffffffffffffffff', 0)
    """
    grey = Image.fromarray(image).convert("L")
    cells = np.asarray(grey.resize((_COLUMNS + 1, _ROWS), Image.Resampling.LANCZOS))
    brighter = cells[:, 1:] > cells[:, :-1]
    return int.from_bytes(np.packbits(brighter).tobytes(), "big")


def find_near_duplicates(imprints: Sequence[Imprint]) -> list[Pair]:
    """Return all pairs of images that show the same, in order.

    Two tests in turn. A pair is suspect where the hashes differ in at most 8 bits, or the
    thumbnails correlate above 0.85. It is a pair of near-duplicates where the details of each are
    found again in the other, piece by piece: a `likeness` of 0.5, or of 0.45 where both signs
    agree. The signs alone would join whatever is aligned: of 600 chest radiographs, 24,594 pairs
    differ in at most 8 bits.
    """

    @lru_cache(2 * _NEIGHBOURHOOD)
    def prepared(index: int) -> Details:
        return prepare_details(imprints[index].thumbnail)

    pairs = []
    for first, second, signs in _suspects(imprints):
        found = likeness(prepared(first), prepared(second))
        if found >= LEAST_LIKENESS[signs]:
            pairs.append(Pair(first, second, found))
    return sorted(pairs)


class _Block(NamedTuple):
    start: int
    bits: NDArray[np.float32]
    coarse: Coarse


def _suspects(imprints: Sequence[Imprint]) -> Iterator[tuple[int, int, int]]:
    """Yield pairs that may be near-duplicates, and whether one or both signs say so."""
    # In blocks, because all pairs of a large dataset at once would not fit in memory.
    starts = range(0, len(imprints), _BLOCK)
    for start in starts:
        rows = _summarise(imprints, start)
        for other in starts[start // _BLOCK :]:
            columns = rows if other == start else _summarise(imprints, other)
            signs = _count_signs(rows, columns)
            found = zip(*np.nonzero(signs), signs[signs > 0], strict=True)
            pairs = [(start + int(row), other + int(column), int(n)) for row, column, n in found]
            # Neighbourhood by neighbourhood, so that few images have to be remembered at once.
            pairs.sort(key=lambda pair: [place // _NEIGHBOURHOOD for place in pair[:2]])
            yield from (pair for pair in pairs if pair[0] < pair[1])


def _summarise(imprints: Sequence[Imprint], start: int) -> _Block:
    chosen = imprints[start : start + _BLOCK]
    coarse = coarsen(np.stack([imprint.thumbnail for imprint in chosen]))
    return _Block(start, _signs([imprint.hash for imprint in chosen]), coarse)


def _count_signs(rows: _Block, columns: _Block) -> NDArray[np.int8]:
    bits = (_BITS - rows.bits @ columns.bits.T) / 2
    whole = rows.coarse.whole @ columns.coarse.whole.T
    detail = rows.coarse.detail @ columns.coarse.detail.T
    signs = (bits <= _NEAR_BITS).astype(np.int8) + (whole >= _NEAR_WHOLE)
    return np.where(detail >= _NEAR_DETAIL, signs, np.int8(0))


def _signs(hashes: Sequence[int]) -> NDArray[np.float32]:
    """Return ``(N, 64)`` of -1 and 1, whose products count the bits that agree."""
    octets = b"".join(value.to_bytes(_BITS // 8, "big") for value in hashes)
    bits = np.unpackbits(np.frombuffer(octets, np.uint8).reshape(len(hashes), -1), axis=1)
    return bits.astype(np.float32) * 2 - 1


def join_pairs(count: int, pairs: Sequence[tuple[int, int]]) -> list[int]:
    """Return for each of ``count`` things the first one that it hangs together with by pairs.

    >>> join_pairs(5, [(4, 3), (0, 2), (2, 3)])
    [0, 1, 0, 0, 0]
    """
    firsts, seconds = np.array(pairs, np.intp).reshape(-1, 2).T
    joined = coo_array((np.ones(len(pairs), np.bool_), (firsts, seconds)), shape=(count, count))
    _, groups = connected_components(joined, directed=False)
    _, first, inverse = np.unique(groups, return_index=True, return_inverse=True)
    return [int(index) for index in first[inverse]]
