"""Anyone's images: a folder with a subfolder for each class, or a CSV file that lists them."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path

from xaibench.core.data import Dataset, Sample, read_files
from xaibench.core.errors import XaibenchError
from xaibench.core.files import exists, real_path
from xaibench.core.reading.annotations import natural_order
from xaibench.core.reading.channels import COLORS
from xaibench.core.reading.choice import LEAST_CLASSES, choose_classes, tell_alike
from xaibench.core.reading.exports.find import find_exports
from xaibench.core.reading.exports.marked import Wanted
from xaibench.core.reading.exports.read import add_objects, read_exports
from xaibench.core.reading.folders.listing import list_names
from xaibench.core.reading.folders.read import read_folder
from xaibench.core.reading.folders.remarks import (
    tell_joined,
    tell_parts,
    tell_unread,
    tell_unused,
)
from xaibench.core.reading.groups import group_by_name
from xaibench.core.reading.manifest import read_manifest
from xaibench.core.reading.mask_style import MaskStyle, read_style
from xaibench.core.reading.picking import Objects
from xaibench.core.reading.several_labels import read_several
from xaibench.core.reading.slices import MIDDLE, choose_slices
from xaibench.core.registry import dataset

_USAGE = (
    "write folder[path=DIR], where DIR has one subfolder of images for each class, "
    "or folder[path=FILE.csv] with the columns image and label"
)


@dataset()
def folder(
    root: Path,
    *,
    path: str = "",
    masks: str = "",
    boxes: str = "",
    classes: tuple[str, ...] = (),
    values: tuple[str, ...] = (),
    ignore: tuple[str, ...] = (),
    soft: bool = False,
    group: str = "",
    images: str = "",
    objects: Objects = "largest",
    nothing: str = "",
    slice: str = MIDDLE,
    channels: int = COLORS,
) -> Dataset:
    """Read images from class folders, from a manifest or from what a labeling tool exports.

    The masks of ``cat/1.jpg`` are ``cat/1_mask.png``, ``cat/1_mask_1.png`` and so on beside it,
    ``cat/masks/1.png``, or ``cat/1.png`` below ``masks``; its boxes are in ``cat/1.xml`` (Pascal
    VOC) in the same places. Folders called train, val and test are parts of a split. Exports of
    COCO, CVAT, LabelMe, Label Studio, Pascal VOC and YOLO are told by what they hold; objects say
    what an image stands for, and its mask is all of them that are called so.

    Args:
        root: folder that holds all data.
        path: folder, CSV file or export: absolute, or below the working directory or ``root``.
        masks: folder of masks, likewise, or inside ``path``.
        boxes: folder of boxes, likewise.
        classes: class folders (or labels) to use, in this order; all by default, sorted. Folders
            that are named here are classes, whatever they are called.
        values: of the foreground in masks, grays or indices of a palette, as in 1+2 or 1-20; by
            default what is brighter than mid-gray.
        ignore: values of pixels that no metric counts, beside ``values``.
        soft: the grays of masks are shares, of which half and more counts.
        group: how names tell what must not part, such as patients: ``regex:`` and a regular
            expression, whose brackets (or the whole of it) match the group.
        images: folder of the images of an export that lies elsewhere.
        objects: ``largest`` labels an image of an export by the class whose objects have the
            largest area together, ``single`` keeps images with objects of one class, ``all`` gives
            each a label and a mask for each class. A table whose column label names several with
            semicolons, or that has a column for each class (1, 0, -1 uncertain), does so, too.
        nothing: what to call the class of an export's images without objects; they are left out
            by default.
        slice: which slice of volumes (NIfTI) is read: ``middle``, the number of one, from the feet
            and from 0, or ``largest``: that with the most of its mask.
        channels: of the images: 2, 4 or more are read from TIFF, as channels or pages, and from
            arrays (.npy) of shape (H, W, channels). Models have an option of that name, too.

    Raises:
        XaibenchError: something is missing, empty or malformed; the message names it.
    """
    if not path:
        raise XaibenchError(f"folder: the option path is missing; {_USAGE}.")
    style = read_style("folder", values, ignore, soft=soft)
    place = _locate("path", path, [Path(), root])
    trees = _find_trees(root, place, {"masks": masks, "boxes": boxes})
    listing = (
        list_names(place, frozenset(map(Path.resolve, trees.values()))) if place.is_dir() else None
    )
    elsewhere = _locate("images", images, [Path(), root, place]) if images else None
    exports = find_exports(place, listing, classes)
    if exports.whole:
        wanted = Wanted(classes, objects, nothing)
        found = read_exports(place, exports.whole, elsewhere, wanted)
        found = replace(found, notes=(*found.notes, *tell_unread(exports.unread)))
    elif listing:
        listing = listing._replace(files=exports.unread)
        found = read_folder(place, listing, trees, classes, style, _USAGE)
        if exports.beside:
            found = add_objects(found, place, exports.beside)
    else:
        several = read_several(place, classes, style)
        found = several or _read_table(place, classes, style)
    found = choose_slices(found, slice) if channels == COLORS else _of_channels(found, channels)
    if group:
        found = replace(found, samples=group_by_name("folder", found.samples, group))
    return found


def _of_channels(found: Dataset, channels: int) -> Dataset:
    """Read images of other channels than red, green and blue.

    Raises:
        XaibenchError: it is one channel or none.
    """
    if channels <= 1:
        raise XaibenchError(
            f"folder[channels={channels}]: gray images are read as three equal channels; leave the "
            "option out, and say channels=1 of a model that is to read one."
        )
    said = (
        f"images have {channels} channels: networks normalize each by the mean of their own means "
        "and standard deviations, and pictures show the channels' mean as gray."
    )
    return replace(
        found,
        read=partial(read_files, channels=channels),
        notes=(*found.notes, said),
        channels=channels,
    )


def _find_trees(root: Path, place: Path, options: Mapping[str, str]) -> dict[str, Path]:
    """Return the folders of masks and boxes that options name."""
    trees: dict[str, Path] = {}
    if any(options.values()) and place.is_file():
        raise XaibenchError(
            f"folder[path={place}]: masks= and boxes= go with a folder; "
            "name the masks in the table's own column mask."
        )
    for option, given in options.items():
        if not given:
            continue
        trees[option] = _locate(option, given, [place, Path(), root])
        if not trees[option].is_dir():
            raise XaibenchError(f"folder[{option}={given}]: not a folder; name one.")
        if real_path(trees[option]) == real_path(place):
            raise XaibenchError(
                f"folder[{option}={given}]: this is path itself; leave the option out, "
                "for what lies beside the images is found without it."
            )
    return trees


def _locate(option: str, given: str, parents: list[Path]) -> Path:
    places = [parent / Path(given).expanduser() for parent in parents]
    for place in places:
        if exists(place):
            return place
    tried = ", ".join(dict.fromkeys(str(place.absolute()) for place in places))
    raise XaibenchError(f"folder[{option}={given}]: there is nothing at {tried}; {_USAGE}.")


def _read_table(table: Path, classes: tuple[str, ...], style: MaskStyle) -> Dataset:
    rows, unused = read_manifest(table)
    labels = sorted({row.label for row in rows}, key=natural_order)
    chosen = _choose(table, labels, classes)
    samples = tuple(
        Sample(
            row.id,
            row.image,
            chosen.index(row.label),
            tuple(layer for mask in row.masks for layer in style.layers(mask)),
            row.boxes,
            group=row.group,
            part=row.part,
        )
        for row in rows
        if row.label in chosen
    )
    parts = Counter(sample.part for sample in samples)
    said = tell_unused(unused), tell_parts("the table names", parts)
    notes = (*tell_alike(chosen), *tell_joined(chosen), *chain.from_iterable(said))
    return Dataset(chosen, samples, notes=notes)


def _choose(place: Path, found: list[str], classes: tuple[str, ...]) -> tuple[str, ...]:
    if len(found) < LEAST_CLASSES:
        raise XaibenchError(
            f"{place}: only one class ({found[0]}); a classifier needs at least two; {_USAGE}."
        )
    return choose_classes("folder", found, classes)
