"""Near-duplicate images: the same scan, saved twice, must never be on both sides of a split."""

import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from xaibench.core.reading import likeness, placing
from xaibench.core.reading.placing import Placing
from xaibench.core.threads import map_by_threads

_SUSPECTS, _TURNED_SUSPECTS = 6, 2
_LEAST_CORRELATION, _LEAST_SETTLED = 0.45, 0.55

COPY = 0.55
"""Likeness from which two images are near-duplicates, whatever else there is."""

VIEW, _STANDS_OUT, _UNLIKE = 0.34, 0.5, 0.6
"""Likeness that is enough where a pair is by far more alike than other images of its kind."""

_OF_ITS_KIND = 10
"""How many images count as those of the kind of one: a set may hold several kinds."""


class Pair(NamedTuple):
    """Two near-duplicates by their places, the first one first, and how alike they are."""

    first: int
    second: int
    likeness: float


class _Suspect(NamedTuple):
    """A pair in the order of looking: the middle of ``one`` was found in a window of ``other``."""

    one: int
    other: int
    flip: int
    window: int


def take_imprint(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the gray ``(192, 192)`` thumbnail of an image, by which it is compared.

    Args:
        image: ``(H, W, 3)`` or ``(H, W)``; stretched to a square, so that a cropped copy fits.
    """
    gray = Image.fromarray(image).convert("L")
    return np.asarray(gray.resize((placing.SIDE, placing.SIDE), Image.Resampling.BOX))


def find_near_duplicates(imprints: Sequence[NDArray[np.uint8]]) -> list[Pair]:
    """Return all pairs of images that show the same, in order.

    The middle of each image is looked for in every other: mirrored, turned by right angles, moved,
    or in one that was cropped by up to a fifth on each side. The six images in which it is found
    best are suspects, and two more that are turned by a quarter.
    Each is laid on the other, and the details of what both show decide, piece by piece. A
    `likeness` of 0.55 makes a pair of near-duplicates. So does 0.34 where the coarse correlation
    stands out from that with the tenth most alike image (the median in small sets), as between
    two moments of one scan. Among aligned images, such as chest radiographs, nothing stands out,
    whatever else there is in their set.

    Time grows with the square of the number of images: a minute or two for 2,000 on two cores.
    """
    sketches = [placing.sketch(imprint) for imprint in imprints]

    suspects, typical = _find_suspects(sketches)

    def judge(suspect: _Suspect) -> Pair | None:
        one, other, flip, window = suspect
        place = placing.settle_place(sketches[one], sketches[other], flip, window)
        if place.correlation < _LEAST_SETTLED:
            return None
        found = _compare(imprints[one], imprints[other], place)
        usual = max(typical[one], typical[other])
        alike = found >= COPY or (found >= VIEW and _stands_out(place, usual))
        return Pair(min(one, other), max(one, other), found) if alike else None

    pairs = [pair for pair in map_by_threads(judge, suspects, os.cpu_count() or 1) if pair]
    best: dict[tuple[int, int], Pair] = {}
    for pair in sorted(pairs):
        best[pair[:2]] = pair
    return list(best.values())


def _find_suspects(sketches: Sequence[NDArray[np.float32]]) -> tuple[list[_Suspect], list[float]]:
    """Return suspects, and the correlation of each image with others of its kind."""
    suspects: list[_Suspect] = []
    typical: list[float] = []
    if not sketches[1:]:
        return suspects, typical
    middles = placing.cut_middles(sketches)
    for other, sketched in enumerate(sketches):
        windows = placing.cut_windows(sketched)
        found = placing.find_middles(middles, windows)
        # Turned ones count: in a set of which a part is turned nothing would else be alike.
        typical.append(_correlate_with_its_kind(np.delete(found.max(axis=1), other)))
        found[other] = -1
        for first, most in ((0, _SUSPECTS), (placing.FLIPS, _TURNED_SUSPECTS)):
            for one, flip in _best_of(found[:, first : first + placing.FLIPS], most):
                window = placing.find_window(middles[one, first + flip], windows)
                suspects.append(_Suspect(one, other, first + flip, window))
    return suspects, typical


def _correlate_with_its_kind(others: NDArray[np.float32]) -> float:
    """Return the correlation that many other images of a set reach; in a small set half of them."""
    rank = min(_OF_ITS_KIND, (len(others) + 1) // 2)
    return float(np.partition(others, -rank)[-rank])


def _best_of(found: NDArray[np.float32], most: int) -> Iterator[tuple[int, int]]:
    """Yield the images that are found best, and in which flip; ``(N, F)`` says how well."""
    highest = found.max(axis=1)
    for one in np.argsort(-highest, kind="stable")[:most].tolist():
        if highest[one] >= _LEAST_CORRELATION:
            yield one, int(found[one].argmax())


def _stands_out(place: Placing, typical: float) -> bool:
    """Whether a pair is by far more alike than the images of its kind are.

    A mirror image is none of another moment.
    """
    share = (place.correlation - typical) / (1 - typical)
    return place.flip == 0 and typical < _UNLIKE and share >= _STANDS_OUT


def _compare(one: NDArray[np.uint8], other: NDArray[np.uint8], place: Placing) -> float:
    """Return the likeness of the parts that both thumbnails show."""
    cut = _cut_out(placing.flip_by(one, place.flip), place.first)
    return likeness.likeness(cut, _cut_out(other, place.second))


def _cut_out(
    thumbnail: NDArray[np.generic], box: tuple[float, float, float, float]
) -> likeness.Details:
    left, top, right, bottom = (share * placing.SIDE for share in box)
    size = (likeness.SIDE, likeness.SIDE)
    picture = Image.fromarray(np.ascontiguousarray(thumbnail))
    part = picture.resize(size, Image.Resampling.BILINEAR, (left, top, right, bottom))
    return likeness.prepare_details(np.asarray(part))
