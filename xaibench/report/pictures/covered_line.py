"""An image, its map, and the image covered in some ways, each with the model's confidence."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xaibench.report.pictures.overlay import overlay
from xaibench.report.pictures.picture_table import Cell, PictureLine


class CoveredCell(NamedTuple):
    """A covered image ``(H, W, 3)``, and what is said of the confidence in it."""

    picture: NDArray[np.uint8]
    words: str


def covered_headings(label: str, ways: Sequence[str]) -> list[str]:
    """Return the heads of a table of such lines; ``label`` is the map's."""
    return ["image", f"map: {label}", *ways]


def covered_line(
    name: str,
    image: NDArray[np.uint8],
    seen: NDArray[np.uint8],
    heat: NDArray[np.float32] | None,
    confidence: float,
    covered: Sequence[CoveredCell],
) -> PictureLine:
    """Return a line of the table.

    Args:
        name: of the line.
        image: ``(H, W, 3)``, as large as it is.
        seen: ``(h, w, 3)``, as the network sees it.
        heat: the map ``(h, w)`` in [0, 1]; None where there is none.
        confidence: in the image itself.
        covered: the image covered in each way; empty where there is no map.
    """
    cells: list[Cell | None] = [Cell(image, f"{confidence:.3f}")]
    cells.append(None if heat is None else Cell(overlay(seen, heat)))
    cells += [Cell(each.picture, each.words.replace(", ", "\n")) for each in covered]
    return PictureLine(name, cells)


def change_in_words(before: float, after: float) -> str:
    """Say how confident the model is in a covered image.

    >>> change_in_words(0.8, 0.6), change_in_words(0.5, 0.7), change_in_words(0.5, 0.5)
    ('0.600, a drop of 25 %', '0.700, an increase', '0.500, the same')
    """
    if after < before:
        return f"{after:.3f}, a drop of {100 * (1 - after / before):.0f} %"
    return f"{after:.3f}, {'an increase' if after > before else 'the same'}"


def scored_in_words(before: float, drop: float, rise: float, gain: float) -> str:
    """Say how confident the model is in a covered image, as far as scores tell.

    Args:
        before: the confidence on the image itself.
        drop: `drop_in_confidence`; NaN where nobody asked.
        rise: `increase_in_confidence`, likewise.
        gain: `average_gain`, likewise.

    >>> scored_in_words(0.8, 0.25, 0.0, 0.0), scored_in_words(0.5, 0.0, 1.0, 0.4)
    ('0.600, a drop of 25 %', '0.700, an increase')
    >>> scored_in_words(0.5, 0.0, 1.0, math.nan)
    'above 0.500, an increase'
    """
    if math.isnan(drop):
        return "not measured"
    if drop > 0:
        return change_in_words(before, before * (1 - drop))
    if gain > 0:
        return change_in_words(before, before + gain * (1 - before))
    if rise > 0:
        return f"above {before:.3f}, an increase"
    return change_in_words(before, before) if rise == 0 or gain == 0 else f"{before:.3f} or more"
