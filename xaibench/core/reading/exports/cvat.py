"""CVAT's XML for images, version 1.1."""

from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np

from xaibench.core.errors import XaibenchError
from xaibench.core.reading.exports.gallery import ImageNames, tell_missing
from xaibench.core.reading.exports.marked import Marked
from xaibench.core.reading.exports.things import Thing, drawn, ellipse, polygon, read_name
from xaibench.core.reading.fill import corners_of_box
from xaibench.core.reading.folders.find import key_of_image
from xaibench.core.reading.folders.names import part_of
from xaibench.core.reading.xml import read_xml

ROOT = "annotations"
_WITHOUT_AREA = frozenset({"polyline", "points", "skeleton", "cuboid"})


def read_cvat(source: Path, gallery: ImageNames) -> tuple[list[Marked], tuple[str, ...]]:
    """Return the images of a file that are there, and sentences on those that aren't.

    Polylines and points cover nothing, and don't count. A tag is the class of its image.

    Raises:
        XaibenchError: it isn't as it should be, was exported for videos, or no image is there.
    """
    root = read_xml(source, ROOT, "CVAT")
    if root.find("track") is not None:
        raise XaibenchError(f"{source}: exported for videos; export it as CVAT for images 1.1.")
    found, missing = [], []
    for image in root.iterfind("image"):
        name = image.get("name", "")
        file = gallery.find(name)
        if file is None:
            missing.append(name)
            continue
        try:
            things = tuple(_things(source, image))
            size = int(image.get("width", "")), int(image.get("height", ""))
        except (TypeError, ValueError, IndexError) as error:
            raise XaibenchError(
                f"{source}: what it says of '{name}' isn't as CVAT writes it ({error}); export it "
                "again."
            ) from error
        told = [part_of(step) for step in (*file.split("/")[:-1], image.get("subset", ""))]
        found.append(
            Marked(
                key_of_image(file),
                gallery.place / file,
                source,
                things,
                size,
                _tag(source, image),
                next(filter(None, told), ""),
                sum(each.tag in _WITHOUT_AREA for each in image),
            )
        )
    return found, tell_missing(source, missing, len(found))


def _tag(source: Path, image: Element) -> str:
    tags = [each.get("label", "") for each in image.iterfind("tag")]
    if len(set(tags)) > 1:
        raise XaibenchError(
            f"{source}: '{image.get('name')}' has several tags ({', '.join(tags)}); keep the one "
            "that is its class."
        )
    return tags[0] if tags else ""


def _things(source: Path, image: Element) -> Iterator[Thing]:
    for each in image:
        kind = each.tag
        if kind in _WITHOUT_AREA or kind == "tag":
            continue
        name = read_name(each.get("label"))
        if kind == "polygon":
            pairs = [pair.split(",") for pair in each.get("points", "").split(";") if pair]
            yield polygon(name, np.array(pairs, np.float64).reshape(-1, 2))
        elif kind == "box":
            yield _box(name, each)
        elif kind == "ellipse":
            x, y, across, down = (_number(each, key) for key in ("cx", "cy", "rx", "ry"))
            yield ellipse(name, (x, y), (across, down), _number(each, "rotation", 0))
        elif kind == "mask":
            yield _mask(name, each)
        else:
            raise XaibenchError(
                f"{source}: <{kind}> of '{image.get('name')}' can't be read; draw it as a polygon, "
                "box, ellipse or mask."
            )


def _box(name: str, each: Element) -> Thing:
    sides = np.array([_number(each, side) for side in ("xtl", "ytl", "xbr", "ybr")])
    corners = corners_of_box(*sides)
    turn = np.deg2rad(_number(each, "rotation", 0))
    center = corners.mean(axis=0)
    turned = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    return polygon(name, (corners - center) @ turned + center)


def _mask(name: str, each: Element) -> Thing:
    """Read counts of pixels in turn outside and inside, row by row of the mask's own frame."""
    counts = [int(count) for count in each.get("rle", "").split(",")]
    left, top, width, height = (
        int(_number(each, key)) for key in ("left", "top", "width", "height")
    )
    if sum(counts) != width * height:
        raise ValueError(f"an rle of {sum(counts)} pixels for {width}x{height}")
    inside = np.arange(len(counts)) % 2 == 1
    return drawn(name, np.repeat(inside, counts).reshape(height, width), left, top)


def _number(each: Element, key: str, default: float | None = None) -> float:
    told = each.get(key)
    if told is None and default is not None:
        return default
    return float(told or "")
