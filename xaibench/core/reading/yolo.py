"""Reading labels in YOLO's format: one polygon or box a line, its class and shares of 1."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml
from numpy.typing import NDArray

from xaibench.core.errors import XaibenchError
from xaibench.core.files import read_plain
from xaibench.core.reading.fill import area_of, corners_of_box, fill_polygon

_FEWEST_CORNERS = 3
_BOX = 4
_SLACK = 0.01
"""How far outside the image a corner may lie: rounding puts some there."""


class Polygon(NamedTuple):
    """One outline: the index of its class, and its corners ``(n, 2)``, x and y from 0 to 1."""

    kind: int
    corners: NDArray[np.float64]

    @property
    def area(self) -> float:
        """Its share of the image."""
        return area_of(self.corners)


def read_polygons(path: Path, kinds: int, *, posed: bool = False) -> list[Polygon]:
    """Return the polygons of a label file, boxes as polygons; none where it is empty.

    Args:
        path: the file.
        kinds: how many classes there are.
        posed: behind each box there are points of a pose, which are passed over.

    Raises:
        XaibenchError: it can't be read, or a line of it is malformed; the message names it.
    """
    return [
        _read_line(f"{path}, line {number}", line.split()[: 1 + _BOX if posed else None], kinds)
        for number, line in enumerate(_read_text(path).splitlines(), 1)
        if line.strip()
    ]


def fill_polygons(polygons: Iterable[Polygon], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the pixels ``(H, W)`` whose center lies inside any of the polygons."""
    filled = np.zeros(shape, np.bool_)
    for polygon in polygons:
        filled |= fill_polygon(polygon.corners * shape[::-1], shape)
    return filled


def read_names(path: Path) -> tuple[str, ...]:
    """Return the class names of a ``data.yaml``, its key ``names`` as a list or numbered from 0.

    Raises:
        XaibenchError: it can't be read, or has no such names, or another number than its ``nc``.
    """
    content = _load_yaml(path)
    told = content.get("names")
    if isinstance(told, dict) and [*told] == [*map(str, range(len(told)))]:
        told = list(told.values())
    if not isinstance(told, list) or not told:
        raise XaibenchError(
            f"{path}: it has no class names; write them as 'names: [a, b]', or below 'names:' one "
            "a line, '- a' or '0: a', counted from 0."
        )
    if content.get("nc", str(len(told))) != str(len(told)):
        raise XaibenchError(
            f"{path}: nc is {content['nc']}, but names has {len(told)}; fix one of them."
        )
    return tuple(map(str, told))


def has_poses(path: Path) -> bool:
    """Whether a ``data.yaml`` says that labels hold points of a pose behind each box.

    Raises:
        XaibenchError: it can't be read.
    """
    return "kpt_shape" in _load_yaml(path)


def _load_yaml(path: Path) -> dict[str, Any]:
    try:
        content = yaml.load(_read_text(path), yaml.BaseLoader)  # 'no' is a name, and no truth
    except yaml.YAMLError as error:
        said = " ".join(str(error).split())
        raise XaibenchError(f"{path}: not well-formed YAML ({said}); fix it.") from error
    return content if isinstance(content, dict) else {}


def _read_text(path: Path) -> str:
    try:
        return read_plain(path).decode("utf-8-sig")
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
        x, y, width, height = numbers
        numbers = corners_of_box(x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        numbers = numbers.ravel()
    if len(numbers) % 2 or len(numbers) < 2 * _FEWEST_CORNERS:
        raise XaibenchError(
            f"{where}: {len(numbers)} numbers behind the class; a box has 4 (the middle, width and "
            f"height), a polygon x and y of at least {_FEWEST_CORNERS} corners."
        )
    if not ((numbers >= -_SLACK) & (numbers <= 1 + _SLACK)).all():  # nan is neither
        raise XaibenchError(f"{where}: x and y must be shares of the image's sides, from 0 to 1.")
    return Polygon(kind, numbers.reshape(-1, 2))
