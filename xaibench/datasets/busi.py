"""BUSI: breast ultrasound images, benign, malignant and normal, with masks of the lesions."""

import csv
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from xaibench.core.data import Dataset, MaskLayer, Sample
from xaibench.core.errors import XaibenchError
from xaibench.core.reading.archives import known_archive
from xaibench.core.reading.choice import check_per_class, choose_classes, keep_first
from xaibench.core.reading.fetch import fetch_archive
from xaibench.core.reading.joining import join_pairs
from xaibench.core.reading.search import folders_below, not_found
from xaibench.core.registry import dataset

_ARCHIVE = known_archive("busi")
_FOLDER = "Dataset_BUSI_with_GT"
_EXAMPLE = "benign/benign (1).png"


class _Count(NamedTuple):
    images: int
    masks: int


_OFFICIAL = {
    "benign": _Count(437, 454),
    "malignant": _Count(210, 211),
    "normal": _Count(133, 133),
}


class _Files(NamedTuple):
    """The numbers of the images, and the masks of each number."""

    images: list[int]
    masks: dict[int, list[Path]]


def fetch_busi(root: Path) -> Path:
    """Download BUSI from its authors unless all of it lies below ``root``; return its folder.

    Raises:
        XaibenchError: no connection, no space, or an archive that is not complete.
    """
    folder = _find(root, tuple(_OFFICIAL))
    if folder is None or _lacks(folder, tuple(_OFFICIAL)):
        folder = fetch_archive(_ARCHIVE, root, _FOLDER, _EXAMPLE)
    if lacks := _lacks(folder, tuple(_OFFICIAL)):
        raise XaibenchError(
            f"{folder}: the archive of {_ARCHIVE.url} is not the BUSI of 780 images ({lacks}); "
            "get a complete copy by hand, or use busi[partial=true] to work with what is there."
        )
    return folder


@dataset(paper="aldhabyani2020busi", fetch=fetch_busi, whole={"classes": tuple(_OFFICIAL)})
def busi(
    root: Path,
    *,
    classes: tuple[str, ...] = ("benign", "malignant"),
    per_class: int = 0,
    partial: bool = False,
) -> Dataset:
    """Read BUSI in its official layout, anywhere below ``root``.

    Nearly half of its images have near-duplicates; they share a group, so that no split separates
    them. The groups are those of ``xaibench audit``, joined by pairs in which people saw the same
    lesion from another side. There may be more of these: BUSI doesn't say which patient an image
    shows.

    Args:
        root: folder that holds all data, or that of BUSI itself.
        classes: of benign, malignant and normal; labels count in this order.
        per_class: keep at most so many images of each class, by number; 0 keeps all.
        partial: use what is there where files are missing.

    Raises:
        XaibenchError: it is not there or not complete, or an option is wrong.
    """
    choose_classes("busi", tuple(_OFFICIAL), classes)
    check_per_class("busi", per_class)
    folder = _find(root, classes)
    if folder is None:
        raise not_found("busi", f"{_FOLDER} (with {_EXAMPLE} and so on)", root)
    lacks = _lacks(folder, classes)
    if lacks and not partial:
        raise XaibenchError(
            f"{folder}: not complete ({lacks}); run `xaibench fetch busi` to get all of it, or use "
            "busi[partial=true] to work with what is there."
        )
    samples = []
    for label, name in enumerate(classes):
        files = _list_files(folder, name)
        if not files.images:
            raise XaibenchError(
                f"{folder / name}: no images like '{name} (1).png'; run `xaibench fetch busi`, or "
                "leave this class out with busi[classes=...]."
            )
        samples += [_describe(folder, name, label, number, files.masks) for number in files.images]
    return Dataset(classes, keep_first(samples, per_class), audited=True)


def _describe(
    folder: Path, name: str, label: int, number: int, masks: dict[int, list[Path]]
) -> Sample:
    stem = f"{name} ({number})"
    key = f"{name}/{stem}"
    layers = tuple(MaskLayer(path) for path in masks.get(number, []))
    return Sample(key, folder / name / f"{stem}.png", label, layers, group=_groups().get(key, ""))


@cache
def _groups() -> dict[str, str]:
    """Return the group of each image that others resemble: what the audit and people's eyes found.

    ``busi_groups.csv`` is written by ``xaibench audit --dataset busi``.
    """
    joined = [(row["sample"], row["group"]) for row in _rows("busi_groups.csv")]
    joined += [(row["first"], row["second"]) for row in _rows("busi_same_lesion.csv")]
    names = list(dict.fromkeys(name for pair in joined for name in pair))
    place = {name: number for number, name in enumerate(names)}
    heads = join_pairs(len(names), [(place[one], place[other]) for one, other in joined])
    return {name: names[head] for name, head in zip(names, heads, strict=True)}


def _rows(table: str) -> list[dict[str, str]]:
    with Path(__file__).with_name(table).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _find(root: Path, classes: Sequence[str]) -> Path | None:
    """Return the first folder that is complete, else the first that looks like BUSI."""
    first = None
    for folder in folders_below(root):
        if any(_list_files(folder, name).images for name in _OFFICIAL):
            if not _lacks(folder, classes):
                return folder
            first = first or folder
    return first


def _list_files(folder: Path, name: str) -> _Files:
    pattern = re.compile(rf"{name} \((\d+)\)(_mask(?:_(\d+))?)?\.png")
    images, masks = [], []
    for file in (folder / name).iterdir() if (folder / name).is_dir() else ():
        if match := pattern.fullmatch(file.name):
            number, mask, layer = match.groups()
            if mask:
                masks.append((int(number), int(layer or 0), file))
            else:
                images.append(int(number))
    layers: dict[int, list[Path]] = {}
    for image, _, file in sorted(masks):
        layers.setdefault(image, []).append(file)
    return _Files(sorted(images), layers)


def _lacks(folder: Path, classes: Sequence[str]) -> str:
    """Return what differs from the official numbers, empty where nothing does."""
    return "; ".join(filter(None, (_class_lacks(folder, name) for name in classes)))


def _class_lacks(folder: Path, name: str) -> str:
    files, official = _list_files(folder, name), _OFFICIAL[name]
    wanted, there = set(range(1, official.images + 1)), set(files.images)
    if missing := wanted - there:
        count = official.images - len(missing)
        first = f"first missing: {name} ({min(missing)}).png"
        return f"{name}: {count} of {official.images} images, {first}"
    if strange := there - wanted:
        return f"{name}: {name} ({min(strange)}).png is none of the {official.images} images"
    masks = sum(map(len, files.masks.values()))
    if masks != official.masks:
        bare = min(wanted - set(files.masks), default=0)
        first = f", first missing: {name} ({bare})_mask.png" if bare else ""
        return f"{name}: {masks} of {official.masks} masks{first}"
    return ""
