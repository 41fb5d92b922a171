"""Reading bounding boxes from Pascal VOC's XML."""

import math
from pathlib import Path
from typing import NoReturn
from xml.etree import ElementTree
from xml.parsers import expat

from xaibench.core.data import Box
from xaibench.core.errors import XaibenchError


def read_boxes(path: Path) -> tuple[Box, ...]:
    """Return the boxes of all objects in a file.

    Pascal VOC counts pixels from 1 and includes the last; a `Box` counts from 0 and excludes it.

    Raises:
        XaibenchError: the file is unreadable, not well-formed, not Pascal VOC, or has a document
            type (whose entities can be made to swallow all memory).
    """
    try:
        root = _parse(path)
    except OSError as error:
        raise XaibenchError(
            f"{path}: cannot be read ({error.strerror}); mend or remove it."
        ) from error
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise XaibenchError(f"{path}: not well-formed XML ({error}); mend or remove it.") from error
    if root.tag != "annotation":
        raise XaibenchError(
            f"{path}: its root is <{root.tag}>, not the <annotation> of Pascal VOC; remove it."
        )
    return tuple(_read_box(path, found) for found in root.iterfind("object/bndbox"))


def _parse(path: Path) -> ElementTree.Element:
    # ElementTree's own parser gives no way to refuse a document type before it is expanded.
    def refuse(*_declaration: object) -> NoReturn:
        raise XaibenchError(f"{path}: refused, it declares a document type; remove <!DOCTYPE ...>.")

    builder = ElementTree.TreeBuilder()
    parser = expat.ParserCreate()
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = refuse
    parser.Parse(path.read_bytes(), True)
    return builder.close()


def _read_box(path: Path, element: ElementTree.Element) -> Box:
    sides = ("xmin", "ymin", "xmax", "ymax")
    left, top, right, bottom = (_read_number(path, element, side) for side in sides)
    if right < max(left, 1) or bottom < max(top, 1):
        raise XaibenchError(
            f"{path}: the box from ({left}, {top}) to ({right}, {bottom}) is empty or lies outside "
            "the image; mend or remove it."
        )
    return Box(left - 1, top - 1, right, bottom)


def _read_number(path: Path, element: ElementTree.Element, side: str) -> int:
    text = element.findtext(side, "").strip()
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise XaibenchError(f"{path}: <{side}> of a box holds '{text}'; it needs a number.")
    return round(number)
