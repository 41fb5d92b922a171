"""What may be wrong with submitted maps: refused where a number would be wrong, else counted."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from xaibench.core.data import Sample
from xaibench.core.errors import XaibenchError
from xaibench.core.maps import CONSTANT, NON_FINITE
from xaibench.setup.selection import Selection
from xaibench.submission.entry import Submission

# Log ratios: proportions further apart than the first differ, closer than the second agree.
_FAR, _CLOSE = 0.1, 0.02
_SHOWN = 3


@dataclass
class _Counts:
    """How many of the maps are odd, and in which way."""

    maps: int = 0
    degenerate: dict[str, int] = field(default_factory=lambda: {NON_FINITE: 0, CONSTANT: 0})
    outside: int = 0
    negative: int = 0
    misshapen: list[str] = field(default_factory=list)


def name_some(names: Sequence[str]) -> str:
    """Return the first few names and how many more there are.

    >>> name_some(["a", "b", "c", "d", "e"])
    "'a', 'b', 'c' and 2 more"
    """
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(f"'{name}'" for name in names[:_SHOWN]) + more


def check_maps(
    submission: Submission, used: Mapping[str, Sample], selection: Selection
) -> list[str]:
    """Look at every map that will be scored.

    Args:
        submission: the maps.
        used: keys with their samples.
        selection: knows the images and the size that maps are scored at.

    Returns:
        What is odd, with counts.

    Raises:
        XaibenchError: a map lies across its image, height for width, or none is finite.
    """
    counts = _Counts()
    for key, sample in used.items():
        shape = submission.file.shapes[key]
        # Square maps are what networks make of the square images that they see.
        if shape[0] != shape[1]:
            _check_shape(submission, key, selection.dataset.read(sample).image.shape[:2], counts)
        _look(submission, key, selection.options.image_size, counts)
    if counts.degenerate[NON_FINITE] == counts.maps > 0:
        raise XaibenchError(
            f"{submission.file.path}: all {counts.maps} maps hold NaN or infinite values; make "
            "them again."
        )
    found = _warnings(submission, counts)
    budget, share = selection.options.mask_fraction, submission.about.mask_fraction or 0
    if share > budget:
        found.append(
            f"it has seen {share:.0%} of the training masks; the protocol's budget is {budget:.0%}"
        )
    return found


def _check_shape(submission: Submission, key: str, image: tuple[int, ...], counts: _Counts) -> None:
    (high, wide), (tall, broad) = submission.file.shapes[key], image
    apart = math.log(high / wide) - math.log(tall / broad)
    across = math.log(high / wide) + math.log(tall / broad)
    swapped = (high, wide) == (broad, tall) and tall != broad
    if swapped or (abs(apart) > _FAR and abs(across) < _CLOSE):
        raise XaibenchError(
            f"{submission.file.path}: the map '{key}' is {high} high and {wide} wide, but its "
            f"image is {tall} high and {broad} wide: transpose your maps to (h, w)."
        )
    if abs(apart) > _FAR:
        counts.misshapen.append(key)


def _look(submission: Submission, key: str, side: int, counts: _Counts) -> None:
    raw: NDArray[np.float32] = submission.file.read(key)
    _, status = submission.finished(key, (side, side))
    counts.maps += 1
    if status in counts.degenerate:
        counts.degenerate[status] += 1
    if status == NON_FINITE:
        return
    counts.negative += bool(raw.min() < 0)
    counts.outside += bool(raw.min() < 0 or raw.max() > 1)


def _warnings(submission: Submission, counts: _Counts) -> list[str]:
    about, total, found = submission.about, counts.maps, []
    if counts.degenerate[NON_FINITE]:
        found.append(
            f"{counts.degenerate[NON_FINITE]} of {total} maps hold NaN or infinite values; they "
            "are scored as empty ones"
        )
    if counts.degenerate[CONSTANT]:
        found.append(
            f"{counts.degenerate[CONSTANT]} of {total} maps are constant after the sign rule "
            f"{about.sign}; they are scored as empty ones"
        )
    if about.rescale == "none" and counts.outside:
        found.append(
            f"{counts.outside} of {total} maps leave [0, 1] and are cut to it, as --rescale none "
            "says; --rescale minmax stretches them"
        )
    if counts.negative and "sign" not in about.declared and about.rescale == "minmax":
        found.append(
            f"{counts.negative} of {total} maps hold negative values, which the sign rule relu "
            "cuts; say --sign relu, abs or none"
        )
    if counts.misshapen:
        found.append(
            f"{len(counts.misshapen)} of {total} maps have neither the proportions of their image "
            f"nor are they square ({name_some(counts.misshapen)}); they are stretched"
        )
    return found
