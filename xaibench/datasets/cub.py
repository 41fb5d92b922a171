"""Caltech-UCSD Birds: 200 species, each bird with a segmentation and a bounding box."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple

from xaibench.core.data import Dataset, MaskLayer, Picture, Sample, read_files
from xaibench.core.errors import XaibenchError
from xaibench.core.reading.archives import known_archive
from xaibench.core.reading.choice import check_per_class, choose_classes, keep_first
from xaibench.core.reading.cub_files import (
    LISTS_2010,
    TABLES_2011,
    Bird,
    read_2010,
    read_2011,
    read_box,
    read_outline,
)
from xaibench.core.reading.fetch import fetch_archive
from xaibench.core.reading.search import find_folder, not_found
from xaibench.core.registry import dataset

_IMAGES, _SEGMENTATIONS = known_archive("cub_images"), known_archive("cub_segmentations")
_FOLDER_2010 = "CUB_200_2010"
_PARTS_2010 = {
    "images": (known_archive("cub_2010_images"), ".jpg"),
    "annotations-mat": (known_archive("cub_2010_annotations"), ".mat"),
    "lists": (known_archive("cub_2010_lists"), ""),
}
_BIRD = "001.Black_footed_Albatross/Black_Footed_Albatross_0001_796111"


class _Edition(NamedTuple):
    """What differs: files expected, how they are read, how they are to be had."""

    layout: tuple[str, ...]
    read: Callable[[Path], list[Bird]]
    outlines: str
    ending: str
    picture: Callable[[Sample], Picture]
    get: str


_EDITIONS = {
    2011: _Edition(
        ("images", *(f"{table}.txt" for table in TABLES_2011)),
        read_2011,
        "segmentations",
        ".png",
        read_files,
        "run `xaibench fetch cub`",
    ),
    2010: _Edition(
        ("images", "annotations-mat", *(f"lists/{table}" for table in LISTS_2010.values())),
        read_2010,
        "annotations-mat",
        ".mat",
        read_outline,
        "run `xaibench fetch 'cub[version=2010]'`",
    ),
}


def fetch_cub(root: Path, *, version: Literal[2011, 2010] = 2011) -> Path:
    """Download CUB-200-2011, or CUB-200 of 2010, with its outlines unless it lies below ``root``.

    Args:
        root: folder that holds all data.
        version: edition.

    Raises:
        XaibenchError: no connection, no space, or an archive that is not complete.
    """
    folder = _fetch_2011(root) if version == 2011 else _fetch_2010(root)  # noqa: PLR2004
    cub(folder, version=version)  # names what is missing
    return folder


def _fetch_2011(root: Path) -> Path:
    edition = _EDITIONS[2011]
    folder = _find(root, edition) or fetch_archive(
        _IMAGES, root, "CUB_200_2011", f"images/{_BIRD}.jpg"
    )
    if not _outlines(folder, edition).is_dir():
        fetch_archive(_SEGMENTATIONS, folder, edition.outlines, f"{_BIRD}.png")
    return folder


def _fetch_2010(root: Path) -> Path:
    """Its three archives hold a folder each, which belong side by side."""
    folder = _find(root, _EDITIONS[2010])
    if folder is not None:
        return folder
    for name, (archive, ending) in _PARTS_2010.items():
        if not (root / _FOLDER_2010 / name).is_dir():
            example = f"{_BIRD}{ending}" if ending else LISTS_2010["train"]
            fetch_archive(archive, root / _FOLDER_2010, name, example)
    return root / _FOLDER_2010


@dataset(paper="wah2011cub", fetch=fetch_cub)
def cub(
    root: Path,
    *,
    version: Literal[2011, 2010] = 2011,
    classes: tuple[str, ...] = (),
    per_class: int = 0,
    masks: Literal["segmentations", "boxes"] = "segmentations",
) -> Dataset:
    """Read CUB-200-2011, or CUB-200 of 2010, in the official layout anywhere below ``root``.

    The segmentations of 2011 hold the votes of five people, of which three count; those of 2010
    are rough outlines (`welinder2010cub`). Parts are the published training and test images.

    Args:
        root: folder that holds all data, or that of the birds itself.
        version: edition; that of 2010 has half as many images.
        classes: species by name, number or both (``001.Black_footed_Albatross``); all by default.
        per_class: keep the first so many of each class in each of training and test; 0 keeps all.
        masks: ``segmentations``, or bounding ``boxes`` in their place.

    Raises:
        XaibenchError: it is not there or not complete, or an option is wrong.
    """
    check_per_class("cub", per_class)
    edition = _EDITIONS[version]
    folder = _find(root, edition)
    if folder is None:
        layout = f"with {', '.join(edition.layout)} (CUB-200 of {version})"
        raise not_found("cub", layout, root, edition.get)
    birds = {bird.file.rpartition(".")[0]: bird for bird in edition.read(folder)}
    names = _choose({bird.name for bird in birds.values()}, classes)
    samples = keep_first(
        (
            Sample(key, folder / "images" / bird.file, names.index(bird.name), part=bird.part)
            for key, bird in birds.items()
            if bird.name in names
        ),
        per_class,
    )
    _check_files(folder, [sample.path for sample in samples], edition)
    outlines = _outlines(folder, edition)
    paths = {sample.id: outlines / f"{sample.id}{edition.ending}" for sample in samples}
    if masks == "boxes":
        boxed = (replace(s, boxes=(birds[s.id].box or read_box(paths[s.id]),)) for s in samples)
        return Dataset(names, tuple(boxed))
    if not outlines.is_dir():
        raise XaibenchError(
            f"cub: no folder {edition.outlines} in {folder} or beside it; run `xaibench fetch "
            "cub`, or use cub[masks=boxes]."
        )
    _check_files(folder, paths.values(), edition)
    outlined = (replace(s, masks=(MaskLayer(paths[s.id]),)) for s in samples)
    return Dataset(names, tuple(outlined), edition.picture)


def _choose(names: Iterable[str], classes: tuple[str, ...]) -> tuple[str, ...]:
    """Return the chosen species by their full names, however they were called."""
    known = sorted(names)
    aliases = {alias: name for name in known for alias in _aliases(name)}
    return choose_classes("cub", known, classes, aliases)


def _aliases(name: str) -> tuple[str, ...]:
    number, _, species = name.partition(".")
    return species, number, number.lstrip("0")


def _find(root: Path, edition: _Edition) -> Path | None:
    return find_folder(root, lambda place: all((place / n).exists() for n in edition.layout))


def _outlines(folder: Path, edition: _Edition) -> Path:
    """Return the folder of the segmentations; packed apart, they often lie beside the images'."""
    inside, beside = folder / edition.outlines, folder.parent / edition.outlines
    return beside if beside.is_dir() and not inside.is_dir() else inside


def _check_files(folder: Path, paths: Iterable[Path], edition: _Edition) -> None:
    for path in paths:
        if not path.is_file():
            raise XaibenchError(f"cub: there is no file {path}; remove {folder} and {edition.get}.")
