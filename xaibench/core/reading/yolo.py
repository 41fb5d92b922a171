"""Reading labels in YOLO's format: one polygon a line, its class and its corners in shares of 1."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xaibench.core.errors import XaibenchError

_FEWEST_CORNERS = 3
_BOX = 4
_SLACK = 0.01
"""How far outside the image a corner may lie: rounding puts some there."""
_INLINE = re.compile(r"^names:\s*\[(.*?)\]", re.MULTILINE | re.DOTALL)
_BLOCK = re.compile(
    r"^names:[ \t]*(?:#.*)?\n((?:[ \t]*(?:(?:-|\d+:)[ \t].*|#.*)?(?:\n|\Z))+)", re.M
)
_ITEM = re.compile(r"^[ \t]*(?:-|(\d+):)[ \t]+(.+?)[ \t]*(?:[ \t]#.*)?$", re.M)


class Polygon(NamedTuple):
    """One outline: the index of its class, and its corners ``(n, 2)``, x and y from 0 to 1."""

    kind: int
    corners: NDArray[np.float64]

    @property
    def area(self) -> float:
        """Its share of the image, by the shoelace formula."""
        x, y = self.corners.T
        return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)


def read_polygons(path: Path, kinds: int) -> list[Polygon]:
    """Return the polygons of a label file; none where it is empty.

    Args:
        path: the file.
        kinds: how many classes there are.

    Raises:
        XaibenchError: it can't be read, or a line of it is malformed; the message names it.
    """
    return [
        _read_line(f"{path}, line {number}", line.split(), kinds)
        for number, line in enumerate(_read_text(path).splitlines(), 1)
        if line.strip()
    ]


def fill_polygons(polygons: Iterable[Polygon], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the pixels ``(H, W)`` whose centre lies inside any of the polygons."""
    filled = np.zeros(shape, np.bool_)
    for polygon in polygons:
        filled |= _fill(polygon.corners * shape[::-1], shape)
    return filled


def read_names(path: Path) -> tuple[str, ...]:
    """Return the class names of a ``data.yaml``, its key ``names`` as a list or numbered from 0.

    Raises:
        XaibenchError: it can't be read, or has no such names.
    """
    text = _read_text(path)
    if inline := _INLINE.search(text):
        names = [part.strip() for part in inline[1].split(",") if part.strip()]
    else:
        block = _BLOCK.search(text)
        items = _ITEM.findall(block[1]) if block else []
        names = [name for _, name in items]
        if [number for number, _ in items if number] not in ([], [*map(str, range(len(items)))]):
            names = []
    if not names:
        raise XaibenchError(
            f"{path}: it has no class names; write them as 'names: [a, b]', or below 'names:' one "
            "a line, '- a' or '0: a', counted from 0."
        )
    return tuple(name.strip("'\"") for name in names)


def _read_text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise XaibenchError(f"{path}: not a readable text file ({error}); replace it.") from error


def _read_line(where: str, cells: list[str], kinds: int) -> Polygon:
    try:
        kind, numbers = int(cells[0]), np.array(cells[1:], np.float64)
    except ValueError as error:
        raise XaibenchError(
            f"{where}: {error}; write a class and then x and y, in turn."
        ) from error
    if not 0 <= kind < kinds:
        raise XaibenchError(
            f"{where}: there is no class {kind}; they are 0 to {kinds - 1}, or more in a data.yaml."
        )
    if len(numbers) == _BOX:
        raise XaibenchError(f"{where}: this is a box; the labels for segmentation have polygons.")
    if len(numbers) % 2 or len(numbers) < 2 * _FEWEST_CORNERS:
        raise XaibenchError(
            f"{where}: {len(numbers)} numbers behind the class; a polygon has x and y of at least "
            f"{_FEWEST_CORNERS} corners."
        )
    if not ((numbers >= -_SLACK) & (numbers <= 1 + _SLACK)).all():  # nan is neither
        raise XaibenchError(f"{where}: x and y must be shares of the image's sides, from 0 to 1.")
    return Polygon(kind, numbers.reshape(-1, 2))


def _fill(corners: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the pixels that have an odd number of edges to their left, at their centre's height.

    Libraries that draw polygons either mark every pixel that the outline touches, or ask of every
    pixel anew, which takes a hundred times as long.
    """
    height, width = shape
    (x, y), (next_x, next_y) = corners.T, np.roll(corners, -1, axis=0).T
    middle = np.arange(height) + 0.5
    row, edge = np.nonzero((y <= middle[:, None]) != (next_y <= middle[:, None]))
    slope = (next_x - x)[edge] / (next_y - y)[edge]
    crossing = x[edge] + slope * (middle[row] - y[edge])
    column = np.ceil(crossing - 0.5).clip(0, width).astype(np.intp)
    crossed = np.zeros((height, width + 1), np.uint8)
    np.add.at(crossed, (row, column), 1)
    inside: NDArray[np.bool_] = crossed.cumsum(axis=1, dtype=np.uint8)[:, :width] % 2 == 1
    return inside
