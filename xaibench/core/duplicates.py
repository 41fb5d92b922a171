"""Near-duplicate images: the same scan, saved twice, must never stand on both sides of a split."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

THRESHOLD = 8
"""Bits in which near-duplicates may differ.

Chosen by eye on BUSI: all pairs that 8 bits join are one scan (moved by a little, or with calipers
drawn in), and from 9 bits on the first pairs of different tumours appear.
"""

_ROWS, _COLUMNS = 8, 8
_BITS = _ROWS * _COLUMNS
_BLOCK = 1024


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


def group_near_duplicates(hashes: Sequence[int], threshold: int = THRESHOLD) -> list[int]:
    """Return for each hash the index of the first one in its group.

    Two hashes are joined where at most ``threshold`` bits differ, and so is all that hangs
    together by such pairs. A hash that stands alone gets its own index.

    >>> group_near_duplicates([0xFF, 0xF0F0F0F0F0F0, 0xFE], threshold=1)
    [0, 1, 0]
    """
    if not hashes:
        return []
    bits = _signs(hashes)
    firsts, seconds = [], []
    # In blocks, because all pairs of a large dataset at once would not fit in memory.
    for start in range(0, len(bits), _BLOCK):
        distances = (_BITS - bits[start : start + _BLOCK] @ bits.T) / 2
        rows, columns = np.nonzero(distances <= threshold)
        firsts.append(rows + start)
        seconds.append(columns)
    pairs = (np.concatenate(firsts), np.concatenate(seconds))
    near = coo_array((np.ones(len(pairs[0]), np.bool_), pairs), shape=(len(bits), len(bits)))
    _, groups = connected_components(near, directed=False)
    _, first, inverse = np.unique(groups, return_index=True, return_inverse=True)
    return [int(index) for index in first[inverse]]


def _signs(hashes: Sequence[int]) -> NDArray[np.float32]:
    """Return ``(N, 64)`` of -1 and 1, whose products count the bits that agree."""
    octets = b"".join(value.to_bytes(_BITS // 8, "big") for value in hashes)
    bits = np.unpackbits(np.frombuffer(octets, np.uint8).reshape(len(hashes), -1), axis=1)
    return bits.astype(np.float32) * 2 - 1
