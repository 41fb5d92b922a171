"""Pascal VOC 2012: photographs with masks of twenty kinds of objects."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
from torchvision.datasets import VOCSegmentation
from torchvision.datasets.voc import DATASET_YEAR_DICT

from xaibench.core.data import (
    ClassLabel,
    Dataset,
    Mask,
    MaskLayer,
    Picture,
    Sample,
    read_files,
)
from xaibench.core.errors import DataNotFoundError, XaibenchError
from xaibench.core.reading.archives import known_archive
from xaibench.core.reading.choice import choose_classes
from xaibench.core.reading.fetch import fetch_archive
from xaibench.core.reading.images import read_image
from xaibench.core.reading.picking import Objects, name_picture
from xaibench.core.reading.search import find_folder, not_found
from xaibench.core.reading.vision_fetch import download
from xaibench.core.reading.voc_files import (
    CLASSES,
    YEAR,
    Entry,
    list_sbd,
    list_voc,
    measure,
    read_truth,
)
from xaibench.core.registry import dataset
from xaibench.core.several_labels import several_labels

_PLACE = "VOCdevkit/VOC2012"
_EXAMPLE = "SegmentationClass/2007_000032.png"
_SBD = ("cls", "img", "train.txt", "val.txt")
_BOUNDARIES = known_archive("sbd")


def fetch_voc(root: Path, *, sbd: bool = False) -> Path:
    """Download VOC 2012 by torchvision unless all of it is there; return its folder.

    Args:
        root: folder that holds all data.
        sbd: download the Semantic Boundaries Dataset, too.

    Raises:
        XaibenchError: no connection, no space, or an archive that isn't intact.
    """
    place = _fetch_images(root)
    if sbd and _search_sbd(root) is None:
        fetch_archive(_BOUNDARIES, root, "benchmark_RELEASE", "dataset/train.txt")
        _find_sbd(root)  # names what is missing
    return place


def _fetch_images(root: Path) -> Path:
    found = _find(root)
    if found is not None:
        with suppress(XaibenchError):  # Not complete: what is missing is unpacked once more.
            list_voc(found)
            return found / _PLACE
    place = found or root
    load = partial(VOCSegmentation, place, year=YEAR, image_set="train", download=True)
    download(load, place, DATASET_YEAR_DICT[YEAR]["url"], place / _PLACE / _EXAMPLE)
    return place / _PLACE


@dataset(paper="everingham2010voc", fetch=fetch_voc, whole={"objects": "largest"})
def voc(
    root: Path,
    *,
    classes: tuple[str, ...] = CLASSES,
    objects: Objects = "single",
    sbd: bool = False,
) -> Dataset:
    """Read the images with segmentations, one label or all; a class's mask is all of its objects.

    Only the chosen classes count: what else is in a picture is background. So are the borders that
    VOC leaves void. VOC's validation images are the test part, for those of its test have no masks.

    Args:
        root: folder that holds all data.
        classes: those to use; labels count in this order.
        objects: ``single`` keeps images with objects of one class, ``largest`` takes all with any,
            labeled by the class that covers most pixels, ``all`` gives each image a label and a
            mask for each class.
        sbd: add the images of the Semantic Boundaries Dataset (hariharan2011sbd) to the training
            part, except those that VOC tests on. Reading them all takes a minute.

    Raises:
        XaibenchError: it is not there or not complete, or an option is wrong.
    """
    classes = choose_classes("voc", CLASSES, classes)
    place = _find(root)
    if place is None:
        raise not_found("voc", f"{_PLACE} (with {_EXAMPLE} and so on)", root)
    entries = list_voc(place)
    if sbd:
        known = {entry.name for entry in entries}
        entries += [entry for entry in list_sbd(_find_sbd(root)) if entry.name not in known]
    samples = tuple(_describe(entries, classes, objects))
    return Dataset(classes, samples, _read if sbd else read_files)


def _describe(entries: list[Entry], classes: tuple[str, ...], objects: Objects) -> Iterator[Sample]:
    labels = {CLASSES.index(name) + 1: label for label, name in enumerate(classes)}
    with ThreadPoolExecutor() as pool:
        areas = pool.map(measure, [entry.truth for entry in entries])
        for entry, covered in zip(entries, areas, strict=True):
            chosen = {value: pixels for value, pixels in covered.items() if value in labels}
            if objects == "all":
                class_labels = tuple(
                    ClassLabel(1, (MaskLayer(entry.truth, value=value),)) if value in chosen
                    else ClassLabel(0, ())
                    for value in labels
                )  # fmt: skip
                yield several_labels(entry.name, entry.image, class_labels, part=entry.part)
                continue
            value = name_picture(chosen, objects)
            if value is not None:
                mask = MaskLayer(entry.truth, value=value)
                yield Sample(entry.name, entry.image, labels[value], (mask,), part=entry.part)


def _find(root: Path) -> Path | None:
    """Return the folder that holds ``VOCdevkit``."""
    folder = find_folder(root.absolute(), lambda folder: folder.match(_PLACE))
    return folder and folder.parent.parent


def _search_sbd(root: Path) -> Path | None:
    return find_folder(root, lambda folder: all((folder / name).exists() for name in _SBD))


def _find_sbd(root: Path) -> Path:
    folder = _search_sbd(root)
    if folder is None:
        raise DataNotFoundError(
            f"voc[sbd=true]: no folder with {', '.join(_SBD)} below {root}",
            "run `xaibench fetch 'voc[sbd=true]'`, or leave sbd out.",
        )
    return folder


def _read(sample: Sample) -> Picture:
    """Read also masks that are in MATLAB's files."""
    image = read_image(sample.path)
    shape = (image.shape[0], image.shape[1])
    each = [_fill(mine.masks or (), shape) for mine in sample.class_labels]
    return Picture(image, _fill(sample.masks, shape), tuple(each))


def _fill(layers: Iterable[MaskLayer], shape: tuple[int, int]) -> Mask:
    """Return the pixels of any of the classes that layers name by their values."""
    found = np.zeros(shape, np.int8)
    for layer in layers:
        mask = read_truth(layer.path) == layer.value
        if mask.shape != shape:
            raise XaibenchError(
                f"{layer.path}: its mask is {mask.shape[1]}x{mask.shape[0]}, but the image is "
                f"{shape[1]}x{shape[0]}; get both anew."
            )
        found[mask] = 1
    return found
