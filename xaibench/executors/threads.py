"""The number of threads: part of the numbers, as sums depend in their last bits on it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits


@contextmanager
def limited_threads(threads: int) -> Iterator[None]:
    """Let torch and the linear algebra of NumPy and SciPy use so many threads in the block.

    This holds for what is loaded: tasks that need torch import it where they are defined.
    """
    torch = sys.modules.get("torch")  # its import takes seconds, which other tasks can do without
    with threadpool_limits(threads):
        if torch is None:
            yield
            return
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)
