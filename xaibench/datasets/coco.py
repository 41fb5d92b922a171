"""COCO: photographs with the outlines of all objects of eighty kinds, as its JSON has them."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

from xaibench.core.data import Dataset
from xaibench.core.errors import XaibenchError
from xaibench.core.reading.exports.all_objects import all_labels
from xaibench.core.reading.exports.coco_json import is_coco, read_coco
from xaibench.core.reading.exports.find import load_json
from xaibench.core.reading.exports.gallery import ImageNames
from xaibench.core.reading.exports.marked import Marked, Wanted
from xaibench.core.reading.search import find_folder, not_found
from xaibench.core.registry import dataset

_PAGE = "https://cocodataset.org/#download"
_PARTS = {"train": "train", "val": "test"}


@dataset(paper="lin2014coco")
def coco(
    root: Path,
    *,
    year: Literal[2014, 2017] = 2014,
    classes: tuple[str, ...] = (),
    crowds: Literal["open", "marked"] = "open",
) -> Dataset:
    """Read COCO's images with a label and a mask for each class; its validation part is the test.

    ``annotations/instances_val2014.json`` names the images of ``val2014``, and ``train2014``
    likewise. Only the chosen classes count.

    Args:
        root: folder that holds all data, or the one that holds ``annotations``.
        year: edition; that of 2017 divides the images otherwise.
        classes: categories to use, in this order; by default all, sorted.
        crowds: regions of many objects are left ``open``, and a class of crowds alone uncertain;
            or they are ``marked`` like single objects, as TorchRay does.

    Raises:
        XaibenchError: it is not there or not complete, or an option is wrong.
    """
    files = {part: f"annotations/instances_{name}{year}.json" for name, part in _PARTS.items()}
    place = find_folder(root, lambda folder: all((folder / f).is_file() for f in files.values()))
    if place is None:
        layout = f"with {' and '.join(files.values())}"
        raise not_found("coco", layout, root, f"get both and the images from {_PAGE}")
    marked: list[Marked] = []
    notes: list[str] = []
    for name, part in _PARTS.items():
        found, said = _read_part(place, place / files[part], f"{name}{year}")
        notes += said
        marked += [each._replace(part=part, id=f"{name}{year}/{each.id}") for each in found]
    if crowds == "marked":
        marked = [
            each._replace(things=tuple(t._replace(counted=True) for t in each.things))
            for each in marked
        ]
    known = all_labels(place, marked, Wanted(classes, "all"))
    return replace(known, notes=(*notes, *known.notes))


def _read_part(place: Path, source: Path, folder: str) -> tuple[list[Marked], tuple[str, ...]]:
    if not (place / folder).is_dir():
        raise XaibenchError(f"{place / folder}: no such folder; get its images from {_PAGE}.")
    content = load_json(source)
    if not is_coco(content):
        raise XaibenchError(f"{source}: not COCO's instances; get it again from {_PAGE}.")
    return read_coco(source, content, ImageNames(place / folder))
