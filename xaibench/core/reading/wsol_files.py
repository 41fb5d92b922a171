"""The lists by which wsolevaluation names its images, their classes, and where the object is."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from xaibench.core.data import IGNORED, Box, MaskLayer
from xaibench.core.errors import XaibenchError
from xaibench.core.files import read_plain

PARTS = {"train": "train", "val": "validation", "test": "test"}
"""Its folders, and the parts of a split that they are: train-weaksup, train-fullsup and test."""
_BOX, _MASKS = 4, 2


class ListedImage(NamedTuple):
    """One image: its path below the data, the number of its class, and where the object is."""

    file: str
    label: int
    part: str
    boxes: tuple[Box, ...] = ()
    masks: tuple[MaskLayer, ...] = ()


def read_lists(metadata: Path, data: Path) -> list[ListedImage]:
    """Return the images of all three parts.

    Each part's folder has ``image_ids.txt``, ``class_labels.txt`` (path, number) and, where the
    object's place is known, ``localization.txt``: path and a box, or path, mask and, once an image,
    the region that isn't counted beside it.

    Args:
        metadata: holds the parts' folders.
        data: holds the masks.

    Raises:
        XaibenchError: a list is missing or malformed.
    """
    found = []
    for name, part in PARTS.items():
        labels = dict(_rows(metadata / name / "class_labels.txt", (2,)))
        places = metadata / name / "localization.txt"
        known: dict[str, list[Sequence[str]]] = {}
        for file, *cells in _rows(places, (1 + _MASKS, 1 + _BOX)) if places.is_file() else ():
            known.setdefault(file, []).append(cells)
        for (file,) in _rows(metadata / name / "image_ids.txt", (1,)):
            if file not in labels or not labels[file].isdecimal():
                raise XaibenchError(
                    f"{metadata / name / 'class_labels.txt'}: no class of {file}; get it again."
                )
            mine = known.get(file, [])
            boxes = tuple(_box(places, cells) for cells in mine if len(cells) == _BOX)
            masks = [layer for cells in mine if len(cells) == _MASKS for layer in _masks(cells)]
            layers = tuple(layer._replace(path=data / layer.path) for layer in masks)
            found.append(ListedImage(file, int(labels[file]), part, boxes, layers))
    return found


def _rows(path: Path, counts: Sequence[int]) -> list[list[str]]:
    try:
        lines = read_plain(path).decode("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise XaibenchError(f"{path}: cannot be read ({error}); get it again.") from error
    rows = [line.strip().split(",") for line in lines if line.strip()]
    for number, row in enumerate(rows, start=1):
        if len(row) not in counts:
            wanted = " or ".join(map(str, counts))
            raise XaibenchError(
                f"{path}, line {number}: {len(row)} values where {wanted} belong; get it again."
            )
    return rows


def _box(path: Path, cells: Sequence[str]) -> Box:
    """Return a box; the list's ends are the last pixels."""
    try:
        left, top, right, bottom = map(int, cells)
    except ValueError as error:
        raise XaibenchError(f"{path}: a box is none ({error}); get it again.") from error
    return Box(left, top, right + 1, bottom + 1)


def _masks(cells: Sequence[str]) -> list[MaskLayer]:
    mask, open_region = cells
    layers = [MaskLayer(Path(mask))]
    return [*layers, MaskLayer(Path(open_region), IGNORED)] if open_region else layers
