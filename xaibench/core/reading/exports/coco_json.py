"""COCO's JSON: instances as polygons, run-length encodings or boxes."""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_masks

from xaibench.core.errors import XaibenchError
from xaibench.core.reading.exports.gallery import ImageNames, tell_missing
from xaibench.core.reading.exports.marked import Marked
from xaibench.core.reading.exports.things import Thing, bounds_of, read_name
from xaibench.core.reading.fill import area_of
from xaibench.core.reading.folders.find import key_of_image
from xaibench.core.reading.folders.names import part_in, part_of

_KEYS = frozenset({"images", "annotations", "categories"})
_FEWEST_NUMBERS, _FARTHEST = 6, 1e6
_ZERO, _MORE, _NEGATIVE = ord("0"), 32, 16


def is_coco(content: Any) -> bool:
    """Whether a JSON's content is COCO's for instances."""
    return isinstance(content, dict) and content.keys() >= _KEYS


def read_coco(
    source: Path, content: Any, gallery: ImageNames
) -> tuple[list[Marked], tuple[str, ...]]:
    """Return the images of a file that are there, and sentences on those that aren't.

    Crowds are left open: neither evidence nor background. Parts are those that folders or the
    file's name tell, as ``train/_annotations.coco.json`` and ``instances_val2017.json``.

    Raises:
        XaibenchError: it isn't as it should be, or no image is there.
    """
    try:
        names = {each["id"]: read_name(each["name"]) for each in content["categories"]}
        things: dict[Any, list[Thing]] = {}
        sizes = {
            each["id"]: (int(each["width"]), int(each["height"])) for each in content["images"]
        }
        _check_ids(content)
        for each in content["annotations"]:
            image = each["image_id"]
            if image not in sizes:
                raise XaibenchError(
                    f"{source}: an annotation belongs to the image {image}, which isn't listed; "
                    "export it again."
                )
            thing = _thing(source, each, names, sizes[image])
            things.setdefault(image, []).append(thing)
        return _find_images(source, content["images"], things, sizes, gallery)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise XaibenchError(
            f"{source}: not as COCO writes it ({type(error).__name__}: {error}); export it again."
        ) from error


def _check_ids(content: Any) -> None:
    for kind in ("images", "categories"):
        if len({each["id"] for each in content[kind]}) < len(content[kind]):
            raise ValueError(f"two {kind} have one id")


def _find_images(
    source: Path,
    images: Any,
    things: Mapping[Any, list[Thing]],
    sizes: Mapping[Any, tuple[int, int]],
    gallery: ImageNames,
) -> tuple[list[Marked], tuple[str, ...]]:
    found, missing = [], []
    near = _below(source.parent, gallery.place)
    told = part_in(source.stem)
    for each in images:
        file = gallery.find(str(each["file_name"]), near, told)
        if file is None:
            missing.append(str(each["file_name"]))
            continue
        part = next((p for step in file.split("/")[:-1] if (p := part_of(step))), "") or told
        mine = tuple(things.get(each["id"], ()))
        found.append(
            Marked(
                key_of_image(file), gallery.place / file, source, mine, sizes[each["id"]], part=part
            )
        )
    return found, tell_missing(source, missing, len(found))


def _below(folder: Path, place: Path) -> str:
    path = folder.relative_to(place).as_posix() if folder.is_relative_to(place) else ""
    return "" if path == "." else path


def _thing(source: Path, each: Any, names: Mapping[Any, str], size: tuple[int, int]) -> Thing:
    category, crowd = each["category_id"], bool(each.get("iscrowd", 0))
    if category not in names:
        raise XaibenchError(
            f"{source}: an annotation is of the category {category}, which isn't listed; export it "
            "again."
        )
    outline = each.get("segmentation")
    if not outline:
        left, top, width, height = map(float, each["bbox"])
        right, bottom = left + width, top + height
        outline = [[left, top, right, top, right, bottom, left, bottom]]
    fill, area = partial(fill_coco, outline), float(each.get("area") or 0)
    if isinstance(outline, dict):
        marked = _check_runs(source, outline, size)
        return Thing(names[category], area or marked, fill, not crowd)
    numbers = list(_check_polygons(outline))
    bounds = bounds_of(np.concatenate(numbers).reshape(-1, 2))
    return Thing(names[category], area or _area(numbers), fill, not crowd, bounds)


def _check_runs(source: Path, outline: Any, size: tuple[int, int]) -> int:
    """Return the area of a run-length encoding; refuse what pycocotools would crash at."""
    if [*outline["size"]] != [size[1], size[0]]:
        raise XaibenchError(
            f"{source}: a run-length encoding is of {outline['size']}, height and width, but "
            f"its image is {[size[1], size[0]]}; export it again."
        )
    counts = outline["counts"]
    runs = counts if isinstance(counts, list) else unpack_runs(str(counts))
    # pycocotools would fill what is missing with whatever lies in memory.
    if min(runs, default=0) < 0:
        raise ValueError(f"a count of {min(runs)}")
    if sum(runs) != size[0] * size[1]:
        raise ValueError(f"counts sum to {sum(runs)}, not to {size[0] * size[1]}")
    return int(sum(runs[1::2]))


def _check_polygons(outline: Any) -> Iterator[NDArray[np.float64]]:
    """Yield polygons as arrays; refuse what pycocotools would crash at."""
    for polygon in outline:
        numbers = np.array(polygon, np.float64)
        if len(numbers) < _FEWEST_NUMBERS or len(numbers) % 2 or not np.isfinite(numbers).all():
            raise ValueError(f"a polygon of {len(numbers)} numbers")
        if np.abs(numbers).max() > _FARTHEST:
            raise ValueError(f"a polygon that reaches to {np.abs(numbers).max():.3g}")
        yield numbers


def unpack_runs(text: str) -> list[int]:
    """Return the runs of a compressed encoding, background first.

    Each number is written in characters of five bits, the lowest first, from the third one on as
    the difference from the one before the last.

    >>> unpack_runs("52203")
    [5, 2, 2, 2, 5]
    """
    runs: list[int] = []
    number, shift = 0, 0
    for character in text:
        bits = ord(character) - _ZERO
        number |= (bits & 31) << shift
        shift += 5
        if bits & _MORE:
            continue
        if bits & _NEGATIVE:
            number -= 1 << shift
        runs.append(number + runs[-2] if len(runs) > 2 else number)  # noqa: PLR2004
        number, shift = 0, 0
    return runs


def _area(polygons: Iterable[NDArray[np.float64]]) -> float:
    return sum(area_of(numbers.reshape(-1, 2)) for numbers in polygons)


def fill_coco(outline: Any, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the pixels ``(H, W)`` of a segmentation, as pycocotools draws it."""
    height, width = shape
    if isinstance(outline, dict) and not isinstance(outline["counts"], list):
        encoded = outline
    else:
        encoded = coco_masks.frPyObjects(outline, height, width)
        encoded = coco_masks.merge(encoded) if isinstance(encoded, list) else encoded
    filled: NDArray[np.bool_] = coco_masks.decode(encoded).astype(bool)
    return filled
