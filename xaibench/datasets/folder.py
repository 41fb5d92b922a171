"""Anyone's images: a folder with a subfolder for each class, or a CSV file that lists them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from xaibench.core.data import Dataset, MaskLayer, Sample
from xaibench.core.errors import XaibenchError
from xaibench.core.files import exists
from xaibench.core.reading.annotations import (
    BOXES,
    Tree,
    list_files,
    natural_order,
    split_off_masks,
)
from xaibench.core.reading.choice import LEAST_CLASSES, choose_classes
from xaibench.core.reading.images import IMAGE_ENDINGS
from xaibench.core.reading.manifest import read_manifest
from xaibench.core.reading.search import subfolders
from xaibench.core.reading.voc_xml import read_boxes
from xaibench.core.registry import dataset

_USAGE = (
    "write folder[path=DIR], where DIR has one subfolder of images for each class, "
    "or folder[path=FILE.csv] with the columns image and label"
)


@dataclass
class _Found:
    """What lies in the class folders, all by the id of the sample."""

    images: dict[str, Path] = field(default_factory=dict)
    labels: dict[str, int] = field(default_factory=dict)
    masks: dict[str, list[Path]] = field(default_factory=dict)
    boxes: dict[str, list[Path]] = field(default_factory=dict)


@dataset()
def folder(
    root: Path,
    *,
    path: str = "",
    masks: str = "",
    boxes: str = "",
    classes: tuple[str, ...] = (),
) -> Dataset:
    """Read images from class folders or from a manifest.

    The masks of ``cat/1.jpg`` are ``cat/1_mask.png``, ``cat/1_mask_1.png`` and so on beside it, or
    ``cat/1.png`` below ``masks``; its boxes are in ``cat/1.xml`` (Pascal VOC) beside it or below
    ``boxes``. A folder ``masks`` or ``boxes`` inside ``path`` that repeats the class folders needs
    no option.

    Args:
        root: folder that holds all data.
        path: folder or CSV file: absolute, or below the working directory or ``root``.
        masks: folder of masks, likewise, or inside ``path``.
        boxes: folder of boxes, likewise.
        classes: class folders (or labels) to use, in this order; all by default, sorted.

    Raises:
        XaibenchError: something is missing, empty or malformed; the message names it.
    """
    if not path:
        raise XaibenchError(f"folder: the option path is missing; {_USAGE}.")
    place = _locate("path", path, [Path(), root])
    if place.is_file():
        if masks or boxes:
            raise XaibenchError(
                f"folder[path={path}]: masks= and boxes= go with a folder; "
                "name the masks in the table's own column mask."
            )
        return _read_table(place, classes)
    return _read_folder(place, _find_trees(root, place, {"masks": masks, "boxes": boxes}), classes)


def _find_trees(root: Path, place: Path, options: Mapping[str, str]) -> dict[str, Path]:
    """Return the folders of masks and boxes, named by options or found inside ``place``."""
    trees: dict[str, Path] = {}
    for option, given in options.items():
        if given:
            trees[option] = _locate(option, given, [place, Path(), root])
        elif _repeats_classes(place, option):
            trees[option] = place / option
        else:
            continue
        if not trees[option].is_dir():
            raise XaibenchError(f"folder[{option}={given}]: not a folder; name one.")
        if trees[option].resolve() == place.resolve():
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


def _subfolders(place: Path) -> list[str]:
    return sorted((each.name for each in subfolders(place)), key=natural_order)


def _repeats_classes(place: Path, name: str) -> bool:
    if not (place / name).is_dir():
        return False
    inner = set(_subfolders(place / name))
    return bool(inner) and inner < set(_subfolders(place))


def _read_folder(place: Path, trees: Mapping[str, Path], classes: tuple[str, ...]) -> Dataset:
    skip = frozenset(tree.resolve() for tree in trees.values())
    names = [name for name in _subfolders(place) if (place / name).resolve() not in skip]
    if not names:
        raise XaibenchError(f"{place}: it has no subfolders; {_USAGE}.")
    if not classes and "images" in names and {"masks", "boxes"} & set(names):
        other = next(name for name in ("masks", "boxes") if name in names)
        raise XaibenchError(
            f"folder[path={place}]: images and {other} would be classes; name "
            f"path={place / 'images'},{other}={place / other}, or say classes=images+{other}."
        )
    chosen = _choose(place, names, classes)
    found = _Found()
    for label, name in enumerate(chosen):
        _list_class(place, name, label, skip, found)
    for option, endings, into in (
        ("masks", IMAGE_ENDINGS, found.masks),
        ("boxes", BOXES, found.boxes),
    ):
        if option in trees:
            tree = Tree(trees[option], endings, option)
            for key, files in tree.assign(list(found.images)).items():
                into.setdefault(key, []).extend(files)
    samples = (
        Sample(
            key,
            image,
            found.labels[key],
            tuple(map(MaskLayer, found.masks.get(key, []))),
            tuple(box for file in found.boxes.get(key, []) for box in read_boxes(file)),
        )
        for key, image in found.images.items()
    )
    return Dataset(chosen, tuple(samples))


def _list_class(place: Path, name: str, label: int, skip: frozenset[Path], found: _Found) -> None:
    images, masks = split_off_masks(list_files(place / name, IMAGE_ENDINGS, skip))
    if not images:
        raise XaibenchError(
            f"{place / name}: no images ({', '.join(sorted(IMAGE_ENDINGS))}); add some, "
            "or name the class folders with classes=A+B."
        )
    for key, files in images.items():
        if len(files) > 1:
            raise XaibenchError(
                f"{files[0]} and {files[1].name} differ only in their ending, or in how an "
                "accent is written; rename one."
            )
        found.images[f"{name}/{key}"] = files[0]
        found.labels[f"{name}/{key}"] = label
    found.masks.update({f"{name}/{key}": files for key, files in masks.items()})
    boxes = list_files(place / name, BOXES, skip)
    found.boxes.update({f"{name}/{key}": files for key, files in boxes.items()})


def _read_table(table: Path, classes: tuple[str, ...]) -> Dataset:
    rows = read_manifest(table)
    labels = sorted({row.label for row in rows}, key=natural_order)
    chosen = _choose(table, labels, classes)
    samples = (
        Sample(
            row.id,
            row.image,
            chosen.index(row.label),
            tuple(map(MaskLayer, row.masks)),
            group=row.group,
        )
        for row in rows
        if row.label in chosen
    )
    return Dataset(chosen, tuple(samples))


def _choose(place: Path, found: list[str], classes: tuple[str, ...]) -> tuple[str, ...]:
    if len(found) < LEAST_CLASSES:
        raise XaibenchError(
            f"{place}: only one class ({found[0]}); a classifier needs at least two; {_USAGE}."
        )
    return choose_classes("folder", found, classes)
