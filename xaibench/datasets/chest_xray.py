"""Chest X-rays of children: normal, or pneumonia by bacteria or virus."""

import re
from functools import partial
from pathlib import Path
from typing import Literal

from xaibench.core.data import Dataset, Picture, Sample, read_files
from xaibench.core.errors import XaibenchError
from xaibench.core.reading.annotations import list_images
from xaibench.core.reading.archives import known_archive
from xaibench.core.reading.fetch import fetch_archive
from xaibench.core.reading.search import find_folder, not_found
from xaibench.core.registry import dataset

_ARCHIVE = known_archive("chest_xray")
_EXAMPLE = "test/PNEUMONIA/person1_virus_6.jpeg"
_PARTS = {"train": "train", "val": "validation", "test": "test"}
_MAIN = ("train", "test")
_FOLDERS = ("NORMAL", "PNEUMONIA")
_CLASSES = {2: ("normal", "pneumonia"), 3: ("normal", "bacteria", "virus")}
_PATIENT = re.compile(r"(person\d+|(?:NORMAL2-)?IM-\d+|(?:NORMAL|BACTERIA|VIRUS)-\d+)[_-]")
_AGENT = re.compile(r"bacteria|virus", re.IGNORECASE)


def fetch_chest_xray(root: Path) -> Path:
    """Download the X-rays from the authors unless they lie below ``root``; return their folder.

    Raises:
        XaibenchError: no connection, no space, or an archive that is not intact.
    """
    folder = _find(root)
    # Some copies have no val: it is but a few images of train.
    if folder and all((folder / part / kind).is_dir() for part in _MAIN for kind in _FOLDERS):
        return folder
    return fetch_archive(_ARCHIVE, root, "chest_xray", _EXAMPLE, name="ChestXRay2017.zip")


def keep_middle(
    height: int, width: int, *, crop: float = 1.0, **_others: object
) -> tuple[slice, slice]:
    """Return the rows and columns in the middle, one of each at least."""
    rows, columns = (_middle(side, crop) for side in (height, width))
    return rows, columns


@dataset(paper="kermany2018identifying", fetch=fetch_chest_xray, kept=keep_middle)
def chest_xray(root: Path, *, classes: Literal[2, 3] = 2, crop: float = 1.0) -> Dataset:
    """Read the X-rays in their official layout, anywhere below ``root``, with what is there of it.

    Images of one patient share a group, as far as file names tell. A number under both ``bacteria``
    and ``virus`` counts as one patient. The published parts share such numbers, of which
    ``--split official`` warns.

    Args:
        root: folder that holds all data, or ``chest_xray`` itself.
        classes: 2 (normal, pneumonia) or 3 (normal, bacteria, virus), by the file names.
        crop: share of height and of width that is kept, in the middle, in (0, 1].

    Raises:
        XaibenchError: they are not there, a file name doesn't tell its class, or ``crop`` is wrong.
    """
    if not 0 < crop <= 1:
        raise XaibenchError(f"chest_xray[crop={crop}]: choose a share above 0, up to 1.")
    folder = _find(root)
    if folder is None:
        layout = f"with train, val or test and in it NORMAL and PNEUMONIA (such as {_EXAMPLE})"
        raise not_found("chest_xray", layout, root)
    names = _CLASSES[classes]
    samples = [
        Sample(
            file.relative_to(folder).with_suffix("").as_posix(),
            file,
            names.index(_name_class(file, names)),
            group=match[1] if (match := _PATIENT.match(file.name)) else "",
            part=part,
        )
        for place, part in _PARTS.items()
        for kind in _FOLDERS
        for file in list_images(folder / place / kind)
    ]
    for label, name in enumerate(names):
        if all(sample.label != label for sample in samples):
            raise XaibenchError(f"{folder}: no image is {name}; run `xaibench fetch chest_xray`.")
    return Dataset(names, tuple(samples), read_files if crop == 1 else partial(_read, crop=crop))


def _find(root: Path) -> Path | None:
    return find_folder(
        root, lambda place: any((place / p / k).is_dir() for p in _PARTS for k in _FOLDERS)
    )


def _name_class(file: Path, names: tuple[str, ...]) -> str:
    kind = file.parent.name.lower()
    if kind in names:
        return kind
    agent = _AGENT.search(file.name)
    if agent is None:
        raise XaibenchError(
            f"{file}: its name says neither bacteria nor virus; rename it, or use "
            "chest_xray[classes=2]."
        )
    return agent[0].lower()


def _read(sample: Sample, *, crop: float) -> Picture:
    image = read_files(sample).image
    return Picture(image[keep_middle(*image.shape[:2], crop=crop)], None)


def _middle(side: int, share: float) -> slice:
    length = max(round(share * side), 1)
    start = (side - length) // 2
    return slice(start, start + length)
