"""Reading bounding boxes from Pascal VOC's XML."""

import math
import re
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from xaibench.core.data import Box
from xaibench.core.errors import XaibenchError
from xaibench.core.reading.xml import read_xml

_SIDES = ("xmin", "ymin", "xmax", "ymax")
_NEAR = 0.02
_NUMBER = re.compile(r"\d+(\.\d*)?")
_OTHERS = {"polygon": "polygons", "robndbox": "turned boxes", "segmentation": "outlines"}


class Named(NamedTuple):
    """An object's name and its box, and whether it is marked as difficult to recognize."""

    name: str
    box: Box
    difficult: bool = False


def read_boxes(path: Path) -> tuple[Box, ...]:
    """Return the boxes of all objects in a file, whatever they are called.

    Raises:
        XaibenchError: as `read_objects`.
    """
    return tuple(each.box for each in read_objects(path))


def read_objects(path: Path, size: tuple[int, int] | None = None) -> tuple[Named, ...]:
    """Return the objects of a file; those that are marked as deleted are none.

    Pascal VOC counts pixels from 1 and includes the last; a `Box` counts from 0 and excludes it.

    Args:
        path: the file.
        size: width and height of its image. Where the file says that it was drawn on one of other
            sides, but the same shape, boxes are scaled.

    Raises:
        XaibenchError: the file is unreadable, not well-formed, not Pascal VOC, or has a document
            type (whose entities can be made to swallow all memory); an object has no box, or one
            that is empty, in shares, outside the image, or drawn on an image of another shape.
    """
    root = read_xml(path, "annotation", "Pascal VOC")
    factors = _factors(path, root, size)
    found = [each for each in root.iterfind("object") if not _is_deleted(each)]
    objects = tuple(
        Named(
            each.findtext("name", "").strip(),
            _read_box(path, _box_of(path, each), factors),
            each.findtext("difficult", "0").strip() == "1",
        )
        for each in found
    )
    if size:
        _check_inside(path, objects, *size)
    return objects


def _is_deleted(found: ElementTree.Element) -> bool:
    return found.findtext("deleted", "").strip().casefold() in ("1", "true", "yes")


def _check_inside(path: Path, objects: Collection[Named], width: int, height: int) -> None:
    for _, (left, top, _, _), _ in objects:
        if left >= width or top >= height:
            raise XaibenchError(
                f"{path}: the box that begins at ({left + 1}, {top + 1}) lies outside its image, "
                f"which is {width}x{height}; fix or remove it."
            )


def choose_objects(objects: Collection[Named], label: str, *, called: bool) -> tuple[Box, ...]:
    """Return the boxes of an image's own class.

    Args:
        objects: of one image.
        label: its class.
        called: whether objects of the dataset are called like its classes; otherwise all count.

    >>> objects = [Named("Cat", Box(0, 0, 2, 2)), Named("dog", Box(1, 1, 5, 5))]
    >>> choose_objects(objects, "cat", called=True)
    (Box(left=0, top=0, right=2, bottom=2),)
    """
    own = label.casefold()
    return tuple(each.box for each in objects if not called or each.name.casefold() == own)


def _factors(
    path: Path, root: ElementTree.Element, size: tuple[int, int] | None
) -> tuple[float, float]:
    """Return by how much boxes grow horizontally and vertically to lie on the image."""
    told = [root.findtext(f"size/{side}", "").strip() for side in ("width", "height")]
    numbers = [float(side) if _NUMBER.fullmatch(side) else 0.0 for side in told]
    if size is None or not all(numbers):
        return 1.0, 1.0
    across, down = (real / side for real, side in zip(size, numbers, strict=True))
    if abs(across / down - 1) > _NEAR:
        raise XaibenchError(
            f"{path}: it was drawn on an image of {told[0]}x{told[1]}, but its image is "
            f"{size[0]}x{size[1]}; put them right, or remove <size> if the boxes fit."
        )
    return across, down


def _box_of(path: Path, found: ElementTree.Element) -> ElementTree.Element:
    box = found.find("bndbox")
    if box is not None:
        return box
    said = next((what for tag, what in _OTHERS.items() if found.find(tag) is not None), "no box")
    raise XaibenchError(
        f"{path}: an object has {said}, where <bndbox> is read; export boxes, or masks."
    )


def _read_box(path: Path, element: ElementTree.Element, factors: tuple[float, float]) -> Box:
    numbers = [_read_number(path, element, side) for side in _SIDES]
    wide = numbers[2] > numbers[0] >= 0  # a single pixel in the corner is from 1 to 1
    if max(numbers) <= 1 and (wide or any(number % 1 for number in numbers)):
        raise XaibenchError(
            f"{path}: the box {tuple(numbers)} is in shares of the image; write it in pixels."
        )
    left, top, right, bottom = map(round, numbers)
    if right < max(left, 1) or bottom < max(top, 1):
        raise XaibenchError(
            f"{path}: the box from ({left}, {top}) to ({right}, {bottom}) is empty or lies outside "
            "the image; fix or remove it."
        )
    across, down = factors
    return Box(
        round((left - 1) * across),
        round((top - 1) * down),
        round(right * across),
        round(bottom * down),
    )


def _read_number(path: Path, element: ElementTree.Element, side: str) -> float:
    text = element.findtext(side, "").strip()
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise XaibenchError(f"{path}: <{side}> of a box holds '{text}'; it needs a number.")
    return number
