"""LabelMe's JSON: one file for each image."""

import base64
import binascii
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from xaibench.core.errors import XaibenchError
from xaibench.core.reading.exports.marked import Size
from xaibench.core.reading.exports.things import (
    Thing,
    drawn,
    ellipse,
    polygon,
    read_name,
    read_png,
)
from xaibench.core.reading.fill import corners_of_box

_FEWEST_CORNERS = 3
_WITHOUT_AREA = frozenset({"point", "points", "line", "linestrip"})


def is_labelme(content: Any) -> bool:
    """Whether a JSON's content is LabelMe's."""
    return isinstance(content, dict) and isinstance(content.get("shapes"), list)


def read_labelme(source: Path, content: Any) -> tuple[tuple[Thing, ...], Size | None, str]:
    """Return the objects of a file, the size they were drawn on, and the one flag that is set.

    Points and lines cover nothing, and don't count.

    Raises:
        XaibenchError: it isn't as it should be.
    """
    try:
        width, height = content.get("imageWidth"), content.get("imageHeight")
        size = (int(width), int(height)) if width and height else None
        set_flags = [name for name, on in (content.get("flags") or {}).items() if on]
        things = tuple(_read_shapes(source, content["shapes"]))
    except (KeyError, TypeError, ValueError, AttributeError, OSError, binascii.Error) as error:
        raise XaibenchError(
            f"{source}: not as LabelMe writes it ({type(error).__name__}: {error}); save it again."
        ) from error
    if len(set_flags) > 1:
        raise XaibenchError(
            f"{source}: its image has several flags ({', '.join(set_flags)}); keep the one that is "
            "its class."
        )
    return things, size, next(iter(set_flags), "")


def count_bare(content: Any) -> int:
    """Return how many points and lines a file has."""
    return sum(each.get("shape_type") in _WITHOUT_AREA for each in content["shapes"])


def _read_shapes(source: Path, shapes: Any) -> Iterator[Thing]:
    for each in shapes:
        kind, name = each.get("shape_type") or "polygon", read_name(each["label"])
        points = np.array(each["points"], np.float64).reshape(-1, 2)
        if kind in _WITHOUT_AREA:
            continue
        if kind == "polygon" and len(points) >= _FEWEST_CORNERS:
            yield polygon(name, points)
        elif kind == "rectangle" and len(points) == 2:  # noqa: PLR2004
            yield polygon(name, corners_of_box(*points.min(axis=0), *points.max(axis=0)))
        elif kind == "circle" and len(points) == 2:  # noqa: PLR2004
            radius = float(np.hypot(*(points[1] - points[0])))
            yield ellipse(name, (points[0, 0], points[0, 1]), (radius, radius))
        elif kind == "mask":
            left, top = np.round(points.min(axis=0)).astype(int).tolist()
            yield drawn(name, read_png(base64.b64decode(each["mask"])), left, top)
        else:
            raise XaibenchError(
                f"{source}: the shape '{name}' is a {kind} of {len(points)} points; draw it as a "
                "polygon, a rectangle, a circle or a mask."
            )
