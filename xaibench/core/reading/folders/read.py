"""Samples from a folder of images: recognized, checked, and paired with masks and boxes."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from xaibench.core.data import Box, Dataset, Sample
from xaibench.core.errors import XaibenchError
from xaibench.core.reading.choice import LEAST_CLASSES, choose_classes, tell_alike
from xaibench.core.reading.folders.arrangement import Arrangement, arrange
from xaibench.core.reading.folders.find import (
    Found,
    check_images,
    find_beside,
    find_images,
    find_in_folders,
    key_of_image,
)
from xaibench.core.reading.folders.guards import (
    check_arrangement,
    check_exported_masks,
    check_keys,
)
from xaibench.core.reading.folders.listing import Listing
from xaibench.core.reading.folders.looks import look_like_masks
from xaibench.core.reading.folders.remarks import remark, tell_boxes
from xaibench.core.reading.headers import read_header
from xaibench.core.reading.mask_style import MaskStyle
from xaibench.core.reading.voc_xml import Named, choose_objects, read_objects

Objects = dict[str, list[Named]]


def read_folder(
    place: Path,
    listing: Listing,
    trees: Mapping[str, Path],
    classes: Sequence[str],
    style: MaskStyle,
    usage: str,
) -> Dataset:
    """Return the dataset below a folder.

    Args:
        place: the folder.
        listing: of its files, without those of ``trees``.
        trees: folders of ``masks`` and ``boxes`` that options name.
        classes: those to use; all that are recognized by default.
        style: how masks are written.
        usage: what to write, for messages.

    Raises:
        XaibenchError: it has no layout that can be told for sure; or a file is missing its owner,
            its pixels, or a name of its own.
    """
    check_exported_masks(str(place), listing.files)
    if not listing.folders:
        raise XaibenchError(f"{place}: it has no subfolders; {usage}.")
    layout, sure = _recognize(place, listing, classes)
    found = find_images(place, layout)
    if not sure:
        check_keys(str(place), _names(found, place), partial(look_like_masks, place))
    if len(layout.classes) < LEAST_CLASSES:
        raise XaibenchError(
            f"{place}: only one class ({layout.classes[0]}); a classifier needs at least two; if "
            f"the folders inside it are the classes, name path={place / _inmost(layout, listing)}."
        )
    chosen = choose_classes("folder", layout.classes, classes)
    check_images(place, found, chosen)
    find_beside(place, listing, found)
    find_in_folders(place, layout, trees, found)
    boxes, objects = _read_boxes(found, layout.classes)
    homes = {key_of_image(file): home for file, home in layout.homes.items()}
    samples = tuple(
        Sample(
            key,
            images[0],
            chosen.index(homes[key].label),
            tuple(each for file in found.masks.get(key, []) for each in style.layers(file)),
            boxes.get(key, ()),
            part=homes[key].part,
        )
        for name in chosen
        for key, images in found.images[name].items()
    )
    parts = Counter(sample.part for sample in samples)
    notes = remark(listing, layout.loose, found.orphans, parts)
    notes = (*tell_alike(chosen), *notes, *tell_boxes(objects, layout.classes))
    return Dataset(chosen, samples, notes=notes)


def _recognize(place: Path, listing: Listing, classes: Sequence[str]) -> tuple[Arrangement, bool]:
    """Return the layout, and whether the user has said which folders are classes."""
    looks = partial(look_like_masks, place)
    layout = arrange(listing, looks)
    sure = bool(classes) and set(classes) <= set(layout.classes)
    if classes and not sure and set(classes) <= set(listing.folders):
        layout, sure = arrange(listing, looks, literal=classes), True
    if layout.unpaired and not sure:
        raise XaibenchError(
            f"{place / layout.unpaired[0]}: a folder of masks, it seems, yet no image goes with "
            "it; lay it out like the images and name it with masks=, move it elsewhere, or name "
            "the classes with classes=A+B."
        )
    if not sure:
        check_arrangement(str(place), layout)
    return layout, sure


def _inmost(layout: Arrangement, listing: Listing) -> str:
    """Return the only class, or the folder inside it that holds more than one other."""
    name = layout.classes[0]
    while len(inner := [f for f in listing.folders if f.rpartition("/")[0] == name]) == 1:
        (name,) = inner
    return name


def _names(found: Found, place: Path) -> dict[str, list[str]]:
    start = len((place / "_").as_posix()) - 1  # `relative_to` takes long for many
    return {
        name: [path.as_posix()[start:] for paths in images.values() for path in paths]
        for name, images in found.images.items()
    }


def _read_boxes(found: Found, classes: Sequence[str]) -> tuple[dict[str, tuple[Box, ...]], Objects]:
    """Return the boxes of each image's own class, and all objects by image."""
    objects: Objects = {}
    for images in found.images.values():
        for key, files in images.items():
            if told := found.boxes.get(key):
                size = read_header(files[0])[:2]
                objects[key] = [each for file in told for each in read_objects(file, size)]
    names = {each.name.casefold() for mine in objects.values() for each in mine}
    called = bool(names & {name.casefold() for name in classes})
    boxes = {
        key: choose_objects(objects[key], name, called=called)
        for name, images in found.images.items()
        for key in images
        if key in objects
    }
    return boxes, objects
