"""A run's folder may come from anybody: it holds plain files, and names that stay below it."""

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath

from xaibench.core.errors import XaibenchError
from xaibench.core.visible import is_visible
from xaibench.results.folder import OWN_FILES, OWN_FOLDERS


def check_plain(out: Path) -> None:
    """Make sure that a run's folder has no links, pipes or devices, which would lead elsewhere.

    Only what a run writes is looked at; the folder itself may be a link.

    Raises:
        XaibenchError: the first that is neither a plain file nor a folder, by its name.
    """
    for path, kind in _odd(out):
        raise XaibenchError(
            f"{path}: {kind}; a run's folder must hold plain files only. Put a copy of the file "
            "there if you trust it, or remove it."
        )


def is_below(name: object) -> bool:
    """Whether a name in a record is a relative path that can't leave the record's folder.

    >>> [is_below(name) for name in ("cells/a.csv", "../a.csv", "/a.csv", "C:a", "", "a/..")]
    [True, False, False, False, False, False]
    """
    if not isinstance(name, str) or not is_visible(name) or "\\" in name:
        return False
    parts = PurePosixPath(name).parts
    anchored = PurePosixPath(name).anchor or PureWindowsPath(name).anchor
    return bool(parts) and not anchored and ".." not in parts


def is_plain_name(name: object) -> bool:
    """Whether a name in a record is that of one file or folder, right below the record's."""
    return is_below(name) and len(PurePosixPath(str(name)).parts) == 1


def _odd(out: Path) -> Iterator[tuple[Path, str]]:
    try:
        with os.scandir(out) as entries:
            ours = sorted(
                (each for each in entries if each.name in OWN_FILES or each.name in OWN_FOLDERS),
                key=lambda each: each.name,
            )
    except OSError:  # no such folder: who reads it says so
        return
    waiting = ours[::-1]
    while waiting:
        entry = waiting.pop()
        if entry.is_symlink():
            yield Path(entry.path), "a link"
        elif not is_visible(entry.name):
            yield Path(entry.path), "a name with control characters, or that isn't UTF-8"
        elif entry.is_dir():
            with os.scandir(entry.path) as entries:
                waiting += sorted(entries, key=lambda each: each.name, reverse=True)
        elif not entry.is_file():
            yield Path(entry.path), "a pipe, a socket or a device"
