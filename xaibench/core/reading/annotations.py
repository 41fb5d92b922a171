"""Finding the masks and boxes of images by their names."""

import os
import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path

from xaibench.core.errors import XaibenchError
from xaibench.core.reading.images import IMAGE_ENDINGS

Files = Mapping[str, list[Path]]
"""Files below a folder by their key: the path below it, ``/``-separated, without its ending."""

_MASK = re.compile(r"(.+)_mask(?:_\d+)?")


def list_files(
    folder: Path, endings: frozenset[str], skip: frozenset[Path] = frozenset()
) -> dict[str, list[Path]]:
    """Return the files below a folder by key, in natural order; hidden ones are passed over.

    Args:
        folder: where to look, at any depth.
        endings: of the files wanted, lower-case.
        skip: resolved folders not to enter.
    """
    found: list[Path] = []
    for place, folders, files in os.walk(folder):
        here = Path(place)
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".") and (here / name).resolve() not in skip
        ]
        found += [here / name for name in files if not name.startswith(".")]
    keyed: dict[str, list[Path]] = {}
    for file in sorted(found, key=lambda file: natural_order(str(file))):
        if file.suffix.lower() in endings:
            keyed.setdefault(key_of(file, folder), []).append(file)
    return keyed


def list_images(folder: Path) -> list[Path]:
    """Return the images right in a folder, in natural order, none where there is no folder.

    Hidden ones are passed over: archives made on a Mac bring some that are no images.
    """
    files = folder.iterdir() if folder.is_dir() else ()
    images = (f for f in files if f.suffix.lower() in IMAGE_ENDINGS and not f.name.startswith("."))
    return sorted(images, key=lambda file: natural_order(file.name))


def key_of(file: Path, folder: Path) -> str:
    """Return the path below the folder without its ending, ``/``-separated and composed."""
    return composed(file.relative_to(folder).with_suffix("").as_posix())


def composed(name: str) -> str:
    """Return a name with its accents composed (NFC), as file systems write them either way.

    >>> composed("e\N{COMBINING ACUTE ACCENT}") == "\N{LATIN SMALL LETTER E WITH ACUTE}"
    True
    """
    return unicodedata.normalize("NFC", name)


def natural_order(text: str) -> list[tuple[int, str]]:
    """Return a sort key by which ``scan 9`` stands before ``scan 10``.

    >>> sorted(["a10", "a9", "b"], key=natural_order)
    ['a9', 'a10', 'b']
    """
    return [
        (int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", text)
    ]


def split_off_masks(images: Files) -> tuple[dict[str, list[Path]], dict[str, list[Path]]]:
    """Part images from the masks beside them, ``x_mask.png`` or ``x_mask_1.png`` of ``x.png``.

    A name like that without its image is an image in its own right (``with_mask_1.jpg``), unless
    others in the folder have masks.

    Returns:
        Images by key, and masks by the key of their image.

    Raises:
        XaibenchError: a mask has no image.
    """
    masks: dict[str, list[Path]] = {}
    plain: dict[str, list[Path]] = {}
    orphans: list[Path] = []
    for key, files in images.items():
        match = _MASK.fullmatch(key)
        if match and match[1] in images:
            masks.setdefault(match[1], []).extend(files)
            continue
        plain[key] = files
        orphans += files if match else []
    if masks and orphans:
        raise XaibenchError(f"{orphans[0]}: this mask has no image beside it; remove or rename it.")
    return plain, masks


class Tree:
    """A folder of annotations that is laid out like that of the images, or flat."""

    def __init__(self, folder: Path, endings: frozenset[str], option: str) -> None:
        self._folder, self._option = folder, option
        self._files: dict[str, list[Path]] = {}
        for key, files in list_files(folder, endings).items():
            self._files.setdefault(key, []).extend(files)
            match = _MASK.fullmatch(key)
            if match and endings == IMAGE_ENDINGS:
                self._files.setdefault(match[1], []).extend(files)

    def assign(self, keys: list[str]) -> dict[str, list[Path]]:
        """Return the files of each image that has some.

        Raises:
            XaibenchError: no file fits any image, or a flat folder leaves open which one.
        """
        assigned = {key: self._files[key] for key in keys if key in self._files}
        if not assigned:
            assigned = self._assign_flat(keys)
        if not assigned:
            raise XaibenchError(
                f"{self._option}={self._folder}: no file there is named like an image; the one of "
                f"'{keys[0]}' would be {self._folder / keys[0]}, any ending."
            )
        return assigned

    def _assign_flat(self, keys: list[str]) -> dict[str, list[Path]]:
        assigned: dict[str, list[Path]] = {}
        owners: dict[str, str] = {}
        for key in keys:
            stem = key.rpartition("/")[2]
            if stem not in self._files:
                continue
            if stem in owners:
                raise XaibenchError(
                    f"{self._files[stem][0]}: it could belong to '{owners[stem]}' or to '{key}'; "
                    f"lay {self._option}= out in the same subfolders as the images."
                )
            owners[stem] = key
            assigned[key] = self._files[stem]
        return assigned


BOXES = frozenset({".xml"})
