"""Files that are byte for byte the same under different names."""

from collections.abc import Callable, Hashable, Iterable
from pathlib import Path
from typing import TypeVar

from xaibench.core.contents import contents_of

_Thing = TypeVar("_Thing")


def find_copies(paths: Iterable[Path]) -> list[list[Path]]:
    """Return groups of two or more existing files with the same bytes, in the order given.

    A path named twice is one file. What a file holds is asked of the cache of contents, which a
    plan fills in any case.
    """
    sums = contents_of(paths)
    there = [path for path, content in sums.items() if content]
    return [alike for alike in grouped_by(there, sums.__getitem__) if len(alike) > 1]


def grouped_by(things: Iterable[_Thing], key: Callable[[_Thing], Hashable]) -> list[list[_Thing]]:
    """Return the things of each key together, in the order of their first."""
    gathered: dict[Hashable, list[_Thing]] = {}
    for thing in things:
        gathered.setdefault(key(thing), []).append(thing)
    return list(gathered.values())
