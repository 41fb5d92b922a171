"""The files below a folder by name, without what is no data."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from xaibench.core.errors import XaibenchError
from xaibench.core.files import real_path
from xaibench.core.reading.annotations import natural_order
from xaibench.core.reading.folders.names import is_junk

_RESULTS = frozenset({"run.json", "explained.csv", "study.json"})
_OURS = _RESULTS | {"audit.csv"}
"""Files that a folder of our results holds; an audit writes nothing but tables."""


class Listing(NamedTuple):
    """Names below a folder, ``/``-separated, in natural order.

    ``folders`` has every folder that was entered and kept something, or was empty from the start.
    """

    files: tuple[str, ...]
    folders: tuple[str, ...]


def list_names(folder: Path, skip: frozenset[Path] = frozenset()) -> Listing:
    """List a folder at any depth; links to folders are followed, each folder once.

    Passed over are hidden files and folders, what file servers and archives leave behind
    (``@eaDir``, ``__MACOSX``), and folders of results of our own.

    Args:
        folder: where to look.
        skip: resolved folders not to enter.

    Raises:
        XaibenchError: a folder can't be read.
    """
    found = list(_visit(folder, skip))
    files = [f"{place}/{name}" if place else name for place, names in found for name in names or ()]
    kept = {parent for file in files for parent in _parents(file)}
    passed = {parent for place, names in found if names is None for parent in _parents(place)}
    # A folder of nothing but results is none of the data; one that was empty is for people to see.
    folders = [place for place, _ in found if place and (place in kept or place not in passed)]
    return Listing(
        tuple(sorted(files, key=natural_order)), tuple(sorted(folders, key=natural_order))
    )


def _parents(name: str) -> Iterator[str]:
    """Yield a folder or file and the folders that it lies in."""
    while name:
        yield name
        name = name.rpartition("/")[0]


def _visit(folder: Path, skip: frozenset[Path]) -> Iterator[tuple[str, list[str] | None]]:
    """Yield folders with their files, None for results; those that links lead to come last."""
    seen: set[Path] = set()
    waiting, linked = [""], list[str]()
    while waiting or linked:
        place = waiting.pop() if waiting else linked.pop(0)
        resolved = real_path(folder / place)
        if resolved in seen or resolved in skip:
            continue
        seen.add(resolved)
        files, children, links = _scan(folder / place)
        if not place and (ours := sorted(_RESULTS & set(files))):
            raise XaibenchError(
                f"{folder}: results lie among the images ({ours[0]}); move them elsewhere."
            )
        if place and _OURS & set(files):
            yield place, None
            continue
        prefix = f"{place}/" if place else ""
        waiting += (prefix + name for name in children)
        linked += (prefix + name for name in links)
        yield place, files


def _scan(folder: Path) -> tuple[list[str], list[str], list[str]]:
    """Return the names of files, of folders and of links to folders."""
    files, children, links = list[str](), list[str](), list[str]()
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if is_junk(entry.name):
                    continue
                if not _is_folder(entry):
                    files.append(entry.name)
                else:
                    (links if entry.is_symlink() else children).append(entry.name)
    except OSError as error:
        raise XaibenchError(
            f"{folder}: this folder cannot be read ({error.strerror}); allow reading it, or move "
            "it elsewhere."
        ) from error
    return files, sorted(children), sorted(links)


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself is a file that can't be read
        return False
