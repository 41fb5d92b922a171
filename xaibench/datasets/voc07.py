"""Pascal VOC 2007: photographs with boxes around objects of twenty kinds."""

from collections.abc import Iterator, Sequence
from functools import cache, partial
from pathlib import Path

from torchvision.datasets import VOCDetection
from torchvision.datasets.voc import DATASET_YEAR_DICT

from xaibench.core.data import UNCERTAIN, ClassLabel, Dataset, Sample
from xaibench.core.errors import XaibenchError
from xaibench.core.reading.choice import choose_classes
from xaibench.core.reading.search import find_folder, not_found
from xaibench.core.reading.vision_fetch import download
from xaibench.core.reading.voc_files import CLASSES
from xaibench.core.reading.voc_xml import Named, read_objects
from xaibench.core.registry import dataset
from xaibench.core.several_labels import several_labels

_PLACE = "VOCdevkit/VOC2007"
_LISTS = "ImageSets/Main"
_PARTS = {"train": "train", "val": "validation", "test": "test"}
_YEAR = "2007"
_ARCHIVES = {"2007": "train", "2007-test": "test"}


def fetch_voc07(root: Path) -> Path:
    """Download VOC 2007 by torchvision unless all of it is there; return its folder.

    Raises:
        XaibenchError: no connection, no space, or an archive that isn't intact.
    """
    place = _find(root)
    home = place.parent.parent if place else root
    for archive, listed in _ARCHIVES.items():
        example = home / _PLACE / _LISTS / f"{listed}.txt"
        if not example.is_file():
            load = partial(VOCDetection, home, year=_YEAR, image_set=listed, download=True)
            download(load, home, DATASET_YEAR_DICT[archive]["url"], example)
    return home / _PLACE


@dataset(paper="everingham2010voc", fetch=fetch_voc07)
def voc07(root: Path, *, classes: tuple[str, ...] = CLASSES) -> Dataset:
    """Read the images with a label for each class; a class's mask is the boxes of all its objects.

    Objects may be marked as difficult to recognize. A class of which an image shows such objects
    alone is uncertain there, and neither learned nor, with ``--target label``, explained; beside
    others they count, as the pointing game has it. Only the chosen classes count.

    Args:
        root: folder that holds all data.
        classes: those to use; labels count in this order.

    Raises:
        XaibenchError: it is not there or not complete, or an option is wrong.
    """
    classes = choose_classes("voc07", CLASSES, classes)
    place = _find(root)
    if place is None:
        raise not_found("voc07", f"{_PLACE} (with {_LISTS}/test.txt and so on)", root)
    samples = tuple(
        _describe(place, name, classes, part)
        for listed, part in _PARTS.items()
        for name in _read_list(place / _LISTS / f"{listed}.txt")
    )
    return Dataset(classes, samples)


def _find(root: Path) -> Path | None:
    return find_folder(root.absolute(), lambda folder: folder.match(_PLACE))


def _read_list(path: Path) -> Iterator[str]:
    try:
        text = path.read_text("utf-8")
    except (OSError, ValueError) as error:
        raise XaibenchError(f"{path}: can't be read; run `xaibench fetch voc07`.") from error
    yield from filter(None, map(str.strip, text.splitlines()))


def _describe(place: Path, name: str, classes: Sequence[str], part: str) -> Sample:
    image, source = place / "JPEGImages" / f"{name}.jpg", place / "Annotations" / f"{name}.xml"
    for file in (image, source):
        if not file.is_file():
            raise XaibenchError(
                f"{file}: no such file, though {_LISTS} names it; run `xaibench fetch voc07`."
            )
    objects = _objects(source)
    mine = [[each for each in objects if each.name == label] for label in classes]
    return several_labels(name, image, tuple(map(_label, mine)), part=part)


@cache
def _objects(source: Path) -> tuple[Named, ...]:
    """Return an image's objects; remembered, as every job of a run asks again."""
    objects = read_objects(source)
    for each in objects:
        if each.name not in CLASSES:
            raise XaibenchError(
                f"{source}: an object is called '{each.name}', which is none of VOC's classes; "
                "get the file as it was published."
            )
    return objects


def _label(objects: Sequence[Named]) -> ClassLabel:
    boxes = tuple(each.box for each in objects)
    if not objects:
        return ClassLabel(0, ())
    sure = any(not each.difficult for each in objects)
    return ClassLabel(1 if sure else UNCERTAIN, (), boxes)
