"""Listing the files of folders, in an order that people expect."""

import os
import re
import unicodedata
from pathlib import Path

from xaibench.core.files import real_path
from xaibench.core.reading.folders.names import is_junk
from xaibench.core.reading.images import IMAGE_ENDINGS


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
            name for name in folders if not is_junk(name) and real_path(here / name) not in skip
        ]
        found += [here / name for name in files if not is_junk(name)]
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
    """Return a sort key by which ``scan 9`` is before ``scan 10``.

    >>> sorted(["a10", "a9", "b"], key=natural_order)
    ['a9', 'a10', 'b']
    """
    return [
        (int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", text)
    ]
