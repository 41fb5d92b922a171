"""Finding a dataset's folder, wherever below a root it was unpacked."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from xaibench.core.errors import DataNotFoundError

DEPTH = 3


def find_folder(root: Path, fits: Callable[[Path], bool]) -> Path | None:
    """Return the nearest folder that fits, ``root`` itself or up to `DEPTH` below it."""
    return next(filter(fits, folders_below(root)), None)


def folders_below(root: Path) -> Iterator[Path]:
    """Yield ``root`` and the folders up to `DEPTH` below it, the nearer ones first."""
    level = [root]
    for _ in range(DEPTH):
        yield from level
        level = [child for folder in level for child in subfolders(folder)]
    yield from level


def subfolders(folder: Path) -> list[Path]:
    """Return the folders inside one, by name; hidden ones are passed over."""
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if entry.is_dir())
    except OSError:  # A folder that we may not read is none that we search for.
        return []
    return [folder / name for name in names if not name.startswith(".")]


def not_found(owner: str, folder: str, root: Path, get: str = "") -> DataNotFoundError:
    """Return the error of a dataset that doesn't lie below ``root``.

    Args:
        owner: the dataset.
        folder: the one looked for, and what lies in it.
        root: where it was looked for.
        get: how it is to be had; by default ``xaibench fetch`` gets it.
    """
    return DataNotFoundError(
        f"{owner}: no folder {folder} up to {DEPTH} folders below {root}",
        f"{get or f'run `xaibench fetch {owner}`'}, or name the folder that holds it with "
        "--data-root DIR or XAIBENCH_DATA.",
    )
