"""Magnetic tiles: photographs of their surfaces, with masks of five kinds of defect."""

import re
from functools import partial
from pathlib import Path
from typing import NamedTuple

from xaibench.core.data import Dataset, MaskLayer, Sample
from xaibench.core.errors import XaibenchError
from xaibench.core.reading.annotations import natural_order
from xaibench.core.reading.archives import known_archive
from xaibench.core.reading.choice import choose_classes
from xaibench.core.reading.fetch import fetch_archive
from xaibench.core.reading.search import find_folder, not_found
from xaibench.core.registry import dataset

_ARCHIVE = known_archive("magnetic_tile")
_FOLDER = f"Magnetic-tile-defect-datasets.-{Path(_ARCHIVE.url).stem}"
_EXAMPLE = "MT_Crack/Imgs/exp1_num_3191.jpg"
_DEFECTS = ("Blowhole", "Break", "Crack", "Fray", "Uneven")
_ALL = (*_DEFECTS, "Free")
_NAME = re.compile(r"exp(\d+)_num_(\d+)")
_NEAR, _NEAR_RISING = 100, 400
"""How far apart two frames of one tile lie at most: next to each other, or in a rising series."""


class _Frame(NamedTuple):
    """What a file's name tells: the number of the frame, and under which exposure it was taken."""

    number: int
    exposure: int
    key: str


def fetch_magnetic_tile(root: Path) -> Path:
    """Download the authors' repository unless its images lie below ``root``; return their folder.

    Raises:
        XaibenchError: no connection, no space, or an archive that isn't intact.
    """
    folder = _find(root)
    return folder or fetch_archive(_ARCHIVE, root, _FOLDER, _EXAMPLE, name=f"{_FOLDER}.zip")


@dataset(
    paper="huang2020magnetic",
    fetch=fetch_magnetic_tile,
    # Fray shows eight tiles, too few for a tenth of them to be in each part of a hold-out.
    recipe={"split": "kfold:5"},
    whole={"classes": _ALL},
)
def magnetic_tile(root: Path, *, classes: tuple[str, ...] = _DEFECTS) -> Dataset:
    """Read the tiles in their authors' layout, ``MT_Crack/Imgs/*.jpg`` with a PNG mask beside each.

    A tile was photographed several times, under rising exposure; its pictures share a group. The
    masks of Free, tiles without defect, are empty, and so are some of Uneven.

    Args:
        root: folder that holds all data, or that of the ``MT_`` folders itself.
        classes: of Blowhole, Break, Crack, Fray, Uneven and Free; labels count in this order.

    Raises:
        XaibenchError: they are not there, one of a pair of files is missing, or an option is wrong.
    """
    classes = choose_classes("magnetic_tile", _ALL, classes)
    folder = _find(root)
    if folder is None:
        raise not_found("magnetic_tile", f"with {_EXAMPLE} and so on", root)
    images = {name: _list_pairs(folder / f"MT_{name}" / "Imgs") for name in _ALL}
    for name in classes:
        if not images[name]:
            raise XaibenchError(
                f"{folder / f'MT_{name}'}: no images (Imgs/*.jpg); run `xaibench fetch "
                "magnetic_tile`, or leave the class out with magnetic_tile[classes=...]."
            )
    groups = _name_tiles({f"{name}/{file.stem}" for name in _ALL for file in images[name]})
    describe = partial(_describe, groups=groups)
    return Dataset(
        classes,
        tuple(
            describe(name, label, file)
            for label, name in enumerate(classes)
            for file in images[name]
        ),
    )


def _describe(name: str, label: int, file: Path, *, groups: dict[str, str]) -> Sample:
    key = f"{name}/{file.stem}"
    return Sample(
        key, file, label, (MaskLayer(file.with_suffix(".png")),), group=groups.get(key, "")
    )


def _find(root: Path) -> Path | None:
    return find_folder(
        root, lambda folder: any((folder / f"MT_{name}" / "Imgs").is_dir() for name in _ALL)
    )


def _list_pairs(folder: Path) -> list[Path]:
    images = sorted(folder.glob("*.jpg"), key=lambda file: natural_order(file.name))
    stems = {image.stem for image in images}
    for stem in sorted(stems ^ {mask.stem for mask in folder.glob("*.png")}):
        lacking = folder / f"{stem}{'.png' if stem in stems else '.jpg'}"
        raise XaibenchError(
            f"{lacking}: no such file, though its mask or image is there; get the whole folder "
            "anew, or remove the other."
        )
    return images


def _name_tiles(keys: set[str]) -> dict[str, str]:
    """Return the tile of each picture whose name tells: frames that follow closely show one tile.

    Whatever their class: the same tile is in Break where the exposure shows the defect, and in
    Free or Crack where it doesn't.
    """
    frames = sorted(
        _Frame(int(match[2]), int(match[1]), key)
        for key in keys
        if (match := _NAME.fullmatch(key.rpartition("/")[2]))
    )
    tiles: dict[str, str] = {}
    before = None
    for frame in frames:
        rising = before is not None and frame.exposure > before.exposure
        reach = _NEAR_RISING if rising else _NEAR
        follows = before is not None and frame.number - before.number <= reach
        tiles[frame.key] = (
            tiles[before.key] if before is not None and follows else f"tile-{frame.number}"
        )
        before = frame
    return tiles
