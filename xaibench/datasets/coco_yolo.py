"""COCO in YOLO's format: photographs with polygons around objects of eighty kinds."""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from xaibench.core.data import ClassLabel, Dataset, Mask, MaskLayer, Picture, Sample
from xaibench.core.errors import XaibenchError
from xaibench.core.reading.annotations import list_files
from xaibench.core.reading.archives import known_archive
from xaibench.core.reading.categories import Members, check_apart, name_categories
from xaibench.core.reading.choice import LEAST_CLASSES, choose_classes
from xaibench.core.reading.fetch import fetch_archive
from xaibench.core.reading.images import IMAGE_ENDINGS, check_upright, read_image
from xaibench.core.reading.picking import Objects, name_picture
from xaibench.core.reading.search import find_folder, not_found
from xaibench.core.reading.yolo import fill_polygons, read_polygons
from xaibench.core.registry import dataset
from xaibench.core.several_labels import several_labels

_ARCHIVE = known_archive("coco_yolo")
_FOLDER = "coco128-seg"
_EXAMPLE = "labels/train2017/000000000009.txt"
_LABELS = frozenset({".txt"})


class _Picture(NamedTuple):
    """An image, its labels, and the classes that it stands for: one unless all count."""

    key: str
    image: Path
    labels: Path
    names: tuple[str, ...]


def fetch_coco_yolo(root: Path) -> Path:
    """Download the first 128 images of COCO unless some of COCO lies below ``root``.

    Raises:
        XaibenchError: no connection, no space, or an archive that isn't intact.
    """
    return _find(root) or fetch_archive(_ARCHIVE, root, _FOLDER, _EXAMPLE)


@dataset(paper="lin2014coco", fetch=fetch_coco_yolo)
def coco_yolo(
    root: Path,
    *,
    classes: tuple[str, ...] = (),
    objects: Objects = "largest",
    least: int = 10,
) -> Dataset:
    """Read images with polygons, one label each or all; a class's mask is all of its objects.

    ``images`` and ``labels`` repeat each other's folders; what has no partner is left out. Only the
    chosen classes count: what else is in a picture is background. A ``data.yaml`` beside the two
    folders brings other names than COCO's.

    Args:
        root: folder that holds all data, or the one that holds ``images`` and ``labels``.
        classes: categories (``dog``) or COCO's groups of them (``animal``); labels count in this
            order. By default all groups, or with a ``data.yaml`` all of its names.
        objects: ``largest`` labels by the class whose polygons have the largest area together,
            ``single`` keeps images with objects of one class, ``all`` labels by all of them: an
            image then has a label and a mask for each class, and may show none.
        least: leave out classes of fewer images, where ``classes`` names none.

    Raises:
        XaibenchError: it is not there, a label is malformed, or an option is wrong.
    """
    folder = _find(root)
    if folder is None:
        layout = f"coco* with images/ and labels/ (as {_EXAMPLE})"
        get = f"run `xaibench fetch coco_yolo`, unpack {_ARCHIVE.url} there"
        raise not_found("coco_yolo", layout, root, get)
    names, groups = name_categories(folder)
    known = {**{name: frozenset({kind}) for kind, name in enumerate(names)}, **groups}
    wanted = choose_classes("coco_yolo", tuple(known), classes or tuple(groups or known))
    check_apart("coco_yolo", wanted, known)
    if least < 1:
        raise XaibenchError(f"coco_yolo[least={least}]: choose 1 or a number above it.")
    members = {name: known[name] for name in wanted}
    pictures = list(_name_pictures(folder, members, len(names), objects))
    _check_filled(pictures, classes)
    kept = tuple(wanted if classes else _keep_frequent(pictures, wanted, least))
    several = objects == "all"
    samples = tuple(
        _describe(each, kept, _part(each.key, folder), several=several)
        for each in pictures
        if several or each.names[0] in kept
    )
    read = partial(_read, members=[known[name] for name in kept], kinds=len(names))
    return Dataset(kept, samples, read)


def _describe(picture: _Picture, kept: Sequence[str], part: str, *, several: bool) -> Sample:
    layers = (MaskLayer(picture.labels),)
    if not several:
        return Sample(picture.key, picture.image, kept.index(picture.names[0]), layers, part=part)
    shown = [name in picture.names for name in kept]
    class_labels = tuple(ClassLabel(int(each), layers if each else ()) for each in shown)
    return several_labels(picture.key, picture.image, class_labels, part=part)


def _find(root: Path) -> Path | None:
    def fits(folder: Path) -> bool:
        named = folder == root or folder.name.lower().startswith("coco")
        return named and (folder / "images").is_dir() and (folder / "labels").is_dir()

    return find_folder(root, fits)


def _name_pictures(
    folder: Path, members: Members, kinds: int, objects: Objects
) -> Iterator[_Picture]:
    images = list_files(folder / "images", IMAGE_ENDINGS)
    labels = list_files(folder / "labels", _LABELS)
    if not images.keys() & labels.keys():
        raise XaibenchError(
            f"{folder}: no file of labels/ is named like one of images/; give both the same "
            f"structure, such as {_EXAMPLE}."
        )
    for key in (key for key in labels if key in images):
        areas: Counter[str] = Counter()
        for polygon in read_polygons(labels[key][0], kinds):
            areas.update({name: polygon.area for name in members if polygon.kind in members[name]})
        name = name_picture(areas, objects)
        found = tuple(areas) if objects == "all" else (name,) if name is not None else ()
        if found or objects == "all":
            yield _Picture(key, images[key][0], labels[key][0], found)


def _keep_frequent(pictures: list[_Picture], wanted: tuple[str, ...], least: int) -> list[str]:
    counts = Counter(name for picture in pictures for name in picture.names)
    kept = [name for name in wanted if counts[name] >= least]
    if len(kept) < LEAST_CLASSES:
        raise XaibenchError(
            f"coco_yolo[least={least}]: fewer than two classes have so many images "
            f"({', '.join(f'{name} {counts[name]}' for name in wanted)}); choose a smaller number, "
            "or name classes."
        )
    return kept


def _check_filled(pictures: list[_Picture], classes: tuple[str, ...]) -> None:
    found = {name for picture in pictures for name in picture.names}
    for name in classes:
        if name not in found:
            raise XaibenchError(
                f"coco_yolo[classes={'+'.join(classes)}]: no image stands for '{name}'; "
                "leave it out."
            )


def _part(key: str, folder: Path) -> str:
    """Return the part that the images' folder names; COCO's validation images are its test."""
    first = key.partition("/")[0]
    if first.startswith("val"):
        return "validation" if any((folder / "labels").glob("test*/")) else "test"
    return next((part for part in ("train", "test") if first.startswith(part)), "")


def _read(sample: Sample, *, members: list[frozenset[int]], kinds: int) -> Picture:
    image = read_image(sample.path)
    check_upright(sample.path, "polygons")
    shape = (image.shape[0], image.shape[1])
    polygons = read_polygons(sample.masks[0].path, kinds) if sample.masks else []

    def fill(label: int) -> Mask:
        mine = (each for each in polygons if each.kind in members[label])
        return fill_polygons(mine, shape).astype(np.int8)

    if not sample.class_labels:
        return Picture(image, fill(sample.label))
    masks = tuple(fill(label) for label in range(len(members)))
    return Picture(image, np.maximum.reduce(masks), masks)
