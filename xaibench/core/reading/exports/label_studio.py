"""Label Studio's JSON: a list of tasks, each with the regions that people drew."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np
from numpy.typing import NDArray

from xaibench.core.errors import XaibenchError
from xaibench.core.reading.exports.gallery import ImageNames, tell_missing
from xaibench.core.reading.exports.marked import Marked
from xaibench.core.reading.exports.things import (
    Thing,
    drawn,
    read_name,
    share_ellipse,
    share_polygon,
)
from xaibench.core.reading.fill import corners_of_box
from xaibench.core.reading.folders.find import key_of_image
from xaibench.core.reading.folders.names import part_of

_PERCENT, _CHANNELS, _ALPHA = 100.0, 4, 3
_UPLOADED = 9
"""Characters that an upload puts in front of a name: eight, and a hyphen."""
_RESULTS = ("annotations", "completions")
_WITHOUT_AREA = frozenset({"keypointlabels", "vectorlabels"})
_NO_REGIONS = frozenset({"choices", "textarea", "rating", "relation"})


def is_label_studio(content: Any) -> bool:
    """Whether a JSON's content is Label Studio's."""
    first = content[0] if isinstance(content, list) and content else None
    return isinstance(first, dict) and "data" in first and any(key in first for key in _RESULTS)


def read_label_studio(
    source: Path, content: Any, gallery: ImageNames
) -> tuple[list[Marked], tuple[str, ...]]:
    """Return the images of a file that are there, and sentences on those that aren't.

    Tasks without an annotation, or with a canceled one alone, are passed over.

    Raises:
        XaibenchError: it isn't as it should be, a task has several annotations, or no image is
            there.
    """
    found, missing, undone = [], [], 0
    for task in content:
        try:
            results = _results(source, task)
            name = _image_of(source, task["data"])
            file = gallery.find(name) or gallery.find(name.rpartition("/")[2][_UPLOADED:])
            if results is None:
                undone += 1
                continue
            if file is None:
                missing.append(name)
                continue
            things = tuple(_things(source, results))
            label = _label(source, name, results)
            bare = sum(each["type"] in _WITHOUT_AREA for each in results)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise XaibenchError(
                f"{source}: the task {task.get('id', '?')} isn't as Label Studio writes it "
                f"({type(error).__name__}: {error}); export it again as JSON."
            ) from error
        part = next((p for step in file.split("/")[:-1] if (p := part_of(step))), "")
        told = things, None, label, part, bare
        found.append(Marked(key_of_image(file), gallery.place / file, source, *told))
    told_undone = (f"{undone} tasks have no annotation, and are left out.",) if undone else ()
    return found, (*tell_missing(source, missing, len(found)), *told_undone)


def _results(source: Path, task: Any) -> Any:
    drawn_by = [
        each for key in _RESULTS for each in task.get(key) or () if not each.get("was_canceled")
    ]
    if len(drawn_by) > 1:
        raise XaibenchError(
            f"{source}: the task {task['id']} has {len(drawn_by)} annotations; keep one of them."
        )
    return drawn_by[0]["result"] if drawn_by else None


def _image_of(source: Path, data: Any) -> str:
    """Return the name of a task's image: the end of its address, or the path of a local file."""
    named = [str(value) for key, value in data.items() if isinstance(value, str)]
    images = [data["image"]] if isinstance(data.get("image"), str) else named
    if len(images) != 1:
        raise XaibenchError(
            f"{source}: a task's data are {', '.join(data)}, and none of them is called image."
        )
    address = urlsplit(images[0])
    local = parse_qs(address.query).get("d")
    return unquote(local[0] if local else address.path)


def _label(source: Path, name: str, results: Any) -> str:
    choices = [c for each in results if each["type"] == "choices" for c in each["value"]["choices"]]
    if len(choices) > 1:
        raise XaibenchError(
            f"{source}: '{name}' has several choices ({', '.join(choices)}); keep the one that is "
            "its class."
        )
    return str(choices[0]) if choices else ""


def _things(source: Path, results: Any) -> Iterator[Thing]:
    for each in results:
        kind, value = each["type"], each.get("value", {})
        if kind in _WITHOUT_AREA | _NO_REGIONS:
            continue
        names = value.get(kind)
        if kind not in ("rectanglelabels", "polygonlabels", "ellipselabels", "brushlabels"):
            raise XaibenchError(
                f"{source}: a region of the type '{kind}' can't be read; use rectangle, polygon, "
                "ellipse or brush labels."
            )
        if not isinstance(names, list) or len(names) != 1:
            raise XaibenchError(
                f"{source}: a region has the labels {', '.join(map(str, names or ['none']))}; give "
                "it one, the name of its class."
            )
        name = read_name(names[0])
        if kind == "polygonlabels":
            yield share_polygon(name, np.array(value["points"], np.float64) / _PERCENT)
        elif kind == "rectanglelabels":
            yield share_polygon(name, _rectangle(each))
        elif kind == "ellipselabels":
            yield _ellipse(name, value)
        else:
            shape = int(each["original_height"]), int(each["original_width"])
            yield drawn(name, read_brush(value["rle"], shape))


def _rectangle(each: Any) -> NDArray[np.float64]:
    """Return a rectangle's corners in shares; it turns clockwise about its upper left corner."""
    value = each["value"]
    sides = np.array([each["original_width"], each["original_height"]], np.float64)
    left, top, width, height = (
        float(value[key]) / _PERCENT for key in ("x", "y", "width", "height")
    )
    corners = corners_of_box(left, top, left + width, top + height) * sides
    turn = np.deg2rad(float(value.get("rotation") or 0))
    turned = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    return np.asarray(((corners - corners[0]) @ turned + corners[0]) / sides)


def _ellipse(name: str, value: Any) -> Thing:
    x, y, across, down = (float(value[key]) / _PERCENT for key in ("x", "y", "radiusX", "radiusY"))
    return share_ellipse(name, (x, y), (across, down), float(value.get("rotation") or 0))


def read_brush(packed: Any, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the pixels of a brush ``(H, W)``: the alpha of an image in packed runs of bits.

    In front are the number of values (32 bits), the bits of a value less 1 (5), and four lengths
    of counts less 1 (4 bits each). Then in turn: 1 for a run or 0 for single values, which length
    the count has (2 bits), the count less 1, and the value or values.
    """
    bits = np.unpackbits(np.array(packed, np.uint8))
    weights = 1 << np.arange(31, -1, -1, dtype=np.int64)
    at = 0

    def take(count: int) -> int:
        nonlocal at
        part = bits[at : at + count]
        if len(part) < count:
            raise ValueError("a brush that ends too early")
        at += count
        return int(part @ weights[-count:])

    total, word = take(32), take(5) + 1
    lengths = [take(4) + 1 for _ in range(4)]
    values = np.zeros(total, np.uint8)
    done = 0
    while done < total:
        repeated = take(1)
        count = take(lengths[take(2)]) + 1
        if repeated:
            values[done : done + count] = take(word)
        else:
            values[done : done + count] = [take(word) for _ in range(count)]
        done += count
    marked: NDArray[np.bool_] = values.reshape(*shape, _CHANNELS)[..., _ALPHA] > 0
    return marked
