"""What the files of the Caltech-UCSD Birds say of each image, in either edition's layout."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from xaibench.core.data import Box, Picture, Sample
from xaibench.core.errors import XaibenchError
from xaibench.core.files import read_plain
from xaibench.core.reading.images import check_upright, read_image
from xaibench.core.reading.matlab import read_matlab

TABLES_2011 = ("images", "image_class_labels", "train_test_split", "bounding_boxes", "classes")
LISTS_2010 = {"train": "train.txt", "test": "test.txt"}
_SIDES = ("left", "top", "right", "bottom")


class Bird(NamedTuple):
    """One image: its file below ``images``, class and part; the box where a table holds it."""

    file: str
    name: str
    part: str
    box: Box | None = None


def read_2011(folder: Path) -> list[Bird]:
    """Return the images of CUB-200-2011 in the order of its tables.

    Raises:
        XaibenchError: a table is missing, malformed, or lacks an image.
    """
    images, labels, training, boxes, classes = (
        _Table(folder / f"{table}.txt", 4 if table == "bounding_boxes" else 1)
        for table in TABLES_2011
    )
    return [
        Bird(
            file,
            classes.find(labels.find(number)[0])[0],
            "train" if training.find(number)[0] == "1" else "test",
            boxes.box(number),
        )
        for number, (file,) in images.rows.items()
    ]


class _Table:
    """Lines of a number and its values, separated by blanks."""

    def __init__(self, path: Path, values: int) -> None:
        self._path = path
        self.rows: dict[str, list[str]] = {}
        for number, line in enumerate(_read_lines(path), start=1):
            key, *found = line.split()
            if len(found) != values:
                raise XaibenchError(
                    f"{path}, line {number}: {len(found)} values where {values} belong; "
                    "get another copy."
                )
            self.rows[key] = found

    def find(self, key: str) -> list[str]:
        if key not in self.rows:
            raise XaibenchError(f"{self._path}: it says nothing of {key}; get another copy.")
        return self.rows[key]

    def box(self, key: str) -> Box:
        try:
            left, top, width, height = map(float, self.find(key))
        except ValueError as error:
            raise XaibenchError(
                f"{self._path}: the box of {key} is none ({error}); get another copy."
            ) from error
        return Box(round(left), round(top), round(left + width), round(top + height))


def read_2010(folder: Path) -> list[Bird]:
    """Return the images of CUB-200 of 2010 in the order of its lists, training images first.

    Raises:
        XaibenchError: a list is missing.
    """
    return [
        Bird(line.strip(), line.strip().partition("/")[0], part)
        for part, table in LISTS_2010.items()
        for line in _read_lines(folder / "lists" / table)
    ]


def read_box(path: Path) -> Box:
    """Return the bounding box of an annotation of 2010.

    Raises:
        XaibenchError: the file is unreadable or holds no box.
    """
    bounds: Any = read_matlab(path, "bbox")
    try:
        return Box(*(round(float(getattr(bounds, side))) for side in _SIDES))
    except (AttributeError, TypeError, ValueError) as error:
        raise XaibenchError(f"{path}: its box is none ({error}); replace it.") from error


def read_outline(sample: Sample) -> Picture:
    """Return an image of 2010 with the outline in its annotation as mask.

    Raises:
        XaibenchError: a file is unreadable, or the outline does not fit the image.
    """
    image, path = read_image(sample.path), sample.masks[0].path
    check_upright(sample.path, "outline")
    outline = np.atleast_2d(read_matlab(path, "seg"))
    if outline.shape != image.shape[:2]:
        height, width = image.shape[:2]
        raise XaibenchError(
            f"{path}: this mask is {outline.shape[1]}x{outline.shape[0]}, but its image "
            f"{sample.path.name} is {width}x{height}; get another copy."
        )
    return Picture(image, (outline > 0).astype(np.int8))


def _read_lines(path: Path) -> list[str]:
    try:
        lines = read_plain(path).decode("utf-8").splitlines()
    except FileNotFoundError:
        raise XaibenchError(f"{path}: no such file; get another copy.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise XaibenchError(f"{path}: cannot be read ({error}); get another copy.") from error
    return [line for line in lines if line.strip()]
