"""What areas of one value tell of a mask: objects of several values, or a single one with edges."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xaibench.core.errors import XaibenchError

_BLACK, _NEARLY_WHITE = 16, 239
_SELDOM, _HALF, _FREQUENT = 0.1, 0.5, 0.01
_STRAY = 3  # values of borders and outlines, which are too thin for areas
_CHROMA, _ANGLE = 32, 0.995
_BINARY, _SHOWN = 2, 4
_REMEDY = "write it with 0 and 255, or say what counts, as values=1+2 of folder[...] does"


def check_plausible(
    path: Path,
    values: NDArray[Any],
    gray: NDArray[Any],
    threshold: int,
    colors: NDArray[Any] | None = None,
) -> None:
    """Make sure that what is brighter than a threshold is all that a mask marks.

    An area is where a pixel and its eight neighbors have one value: edges that were smoothed have
    none, nor has the noise of compression, but for grays next to black.

    Args:
        path: of the mask.
        values: ``(H, W)``, one for each gray or color.
        gray: ``(H, W)``, what is compared with the threshold.
        threshold: the highest gray that doesn't count.
        colors: ``(H, W)``, 256 * (256 * red + green) + blue; None where there are grays only.

    Raises:
        XaibenchError: areas lie on both sides of the threshold, none is black, colors differ, or
            most pixels lie in no area.
    """
    found = np.unique(values)
    if len(found) == 1 or (colors is None and set(found.tolist()) <= {0, 255}):
        return
    marked = gray > threshold
    if len(found) == _BINARY and colors is None and not marked.all():
        return
    areas = _areas(values)
    flat, places = np.unique(values[1:-1, 1:-1][areas], return_index=True)
    grays = dict(zip(flat.tolist(), gray[1:-1, 1:-1][areas][places].tolist(), strict=True))
    lowest = 0 if len(found) - len(flat) <= max(_STRAY, _SELDOM * len(found)) else _BLACK
    dark = [value for value, level in grays.items() if lowest < level <= threshold]
    several = colors is not None and _has_several_colors(colors[marked])
    if marked.any() and (several or (dark and colors is not None)):
        raise XaibenchError(
            f"{path}: this mask has several colors, of which only the bright ones would count; "
            f"{_REMEDY}."
        )
    if marked.any() and dark:
        raise XaibenchError(
            f"{path}: areas of this mask have the {_name(dark)}, and only the bright ones would "
            f"count; {_REMEDY}."
        )
    if marked.all() and len(flat) > 1:
        raise XaibenchError(f"{path}: nothing in this mask is black; {_REMEDY}.")
    between = (gray > _BLACK) & (gray < _NEARLY_WHITE) & ~np.isin(values, flat)
    if areas.size and between.mean() > _HALF and threshold <= np.iinfo(np.uint8).max:
        raise XaibenchError(
            f"{path}: this looks like an image, not like a mask; put the mask there, or say "
            "soft=true where its grays are shares."
        )


def _areas(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Return for each inner pixel whether all its neighbors have its value, ``(H-2, W-2)``."""
    height, width = values.shape
    middle = values[1:-1, 1:-1]
    same = np.ones(middle.shape, np.bool_)
    for row in range(3):
        for column in range(3):
            same &= values[row : height - 2 + row, column : width - 2 + column] == middle
    return same


def _has_several_colors(colors: NDArray[Any]) -> bool:
    """Whether frequent colors have more than one hue: smoothed edges keep that of their area."""
    if not colors.size:
        return False
    found, counts = np.unique(colors, return_counts=True)
    frequent = found[counts >= _FREQUENT * counts.sum()].astype(np.int64)
    parts = np.stack([frequent >> 16, (frequent >> 8) & 255, frequent & 255], axis=1)
    if not (np.ptp(parts, axis=1) > _CHROMA).any():
        return False
    hues = parts / np.linalg.norm(parts, axis=1, keepdims=True)
    main = hues[counts[counts >= _FREQUENT * counts.sum()].argmax()]
    return bool((hues @ main < _ANGLE).any())


def _name(dark: list[int]) -> str:
    some = ", ".join(str(value) for value in dark[:_SHOWN])
    more = " and others" if len(dark) > _SHOWN else ""
    return f"value{'s' if len(dark) > 1 else ''} {some}{more} beside brighter ones"
