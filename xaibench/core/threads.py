"""Doing the same to many things by several threads."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

# What waits for its turn takes memory: 100,000 files at once would take 200 MB.
_AT_ONCE = 1024
_Thing = TypeVar("_Thing")
_Found = TypeVar("_Found")


def map_by_threads(
    do: Callable[[_Thing], _Found], things: Sequence[_Thing], threads: int | None = None
) -> Iterator[_Found]:
    """Yield what a function makes of each thing, in their order, however many there are.

    Args:
        do: the function; files and numpy let go of the interpreter meanwhile.
        things: what it is called with.
        threads: how many; as many as there are cores.
    """
    with ThreadPoolExecutor(threads or os.cpu_count()) as pool:
        for first in range(0, len(things), _AT_ONCE):
            yield from pool.map(do, things[first : first + _AT_ONCE])
