"""Tasks, what they come to, and the queue that every executor works off."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any, NamedTuple

from xaibench.core.errors import XaibenchError, reason_of

_log = logging.getLogger(__name__)
_PAUSE = 0.5  # seconds until a busy task is asked for again


@dataclass(frozen=True)
class Task:
    """A piece of work that may go to another process or machine.

    Args:
        key: its name, unique; for people and for logs.
        payload: what `do` is handed: strings and numbers that can be pickled.
        after: keys of the tasks that must be done first.
        reads: folders below the output that it reads, for workers that don't see it.
        local: little but reading and writing in the output; where workers don't see that, it stays
            with the process that schedules.
    """

    key: str
    payload: Any
    after: frozenset[str] = frozenset()
    reads: tuple[str, ...] = ()
    local: bool = False


class Done(NamedTuple):
    """What a task came to.

    Args:
        task: the task.
        answer: what `do` returned; None if it failed.
        error: why it failed: what `do` raised, a `WorkerCrashError` or a `SkippedError`.
    """

    task: Task
    answer: Any
    error: Exception | None = None


class Busy(Exception):  # noqa: N818 (no error: an answer)
    """Somebody else works on the task just now; ask again later."""


class WorkerCrashError(XaibenchError):
    """The worker of a task died, as often as it was begun again."""


class SkippedError(XaibenchError):
    """A task was never begun, because one that it needs failed."""


@dataclass(frozen=True)
class Resources:
    """What tasks are done with.

    Args:
        out: the folder that they read and write.
        workers: how many at a time; 0: as many as there are GPUs, on the CPU as many as its cores
            have room for.
        threads: CPU threads of each worker. No executor changes it: it decides the last bits.
        cuda: whether each task asks for a GPU; None: where machines of a cluster have any.
        address: Ray: of a cluster that runs, ``auto`` or ``host:port``; empty: a local one.
        shared: Ray: whether all workers see ``out`` under the same path.
        retries: how often a task is begun again after its worker died.
    """

    out: Path
    workers: int = 0
    threads: int = 1
    cuda: bool | None = False
    address: str = ""
    shared: bool = True
    retries: int = 2


Do = Callable[[Any, Path], Any]
"""``do(task.payload, out)``; it can be pickled."""
Executor = Callable[[Do, Sequence[Task], Resources], Generator[Done, None, None]]
"""Yields each task once, as soon as it is known what it came to."""


class Queue:
    """Which tasks are ready, which wait for others, and what becomes of those that were taken."""

    def __init__(self, tasks: Sequence[Task], retries: int = 0) -> None:
        self._waiting = {task.key: task for task in tasks}
        _check(tasks, self._waiting)
        self._retries, self._crashes = retries, Counter[str]()
        self._done: set[str] = set()
        self._ready: list[tuple[float, Task]] = []  # from when on, by the clock
        self._taken = 0
        self._free()

    @property
    def is_open(self) -> bool:
        """Whether any task is still ahead or at work."""
        return bool(self._waiting or self._ready or self._taken)

    @property
    def pause(self) -> float | None:
        """Seconds until one of the ready tasks may be taken; None where none is ready."""
        if not self._ready:
            return None
        return max(min(since for since, _ in self._ready) - time.monotonic(), 0.0)

    def take(self) -> Task | None:
        """Return the first task that may be begun now, if any."""
        now = time.monotonic()
        for place, (since, task) in enumerate(self._ready):
            if since <= now:
                del self._ready[place]
                self._taken += 1
                return task
        return None

    def settle(self, task: Task, answer: Any, error: Exception | None = None) -> Iterator[Done]:
        """Yield what a task came to, and where it failed all that needs it; nothing if `Busy`."""
        self._taken -= 1
        if isinstance(error, Busy):
            self._ready.append((time.monotonic() + _PAUSE, task))
        elif error is None:
            self._done.add(task.key)
            self._free()
            yield Done(task, answer)
        else:
            dropped = self._drop(task.key)
            yield Done(task, None, error)
            why = f"it needs {task.key}, which failed: {' '.join(reason_of(error).split())}"
            yield from (Done(lost, None, SkippedError(why)) for lost in dropped)

    def crash(self, task: Task, how: str) -> Iterator[Done]:
        """Put a task first again whose worker died; yield it as failed after too many deaths.

        Args:
            task: that the worker had.
            how: it died, such as ``signal 9``.
        """
        self._crashes[task.key] += 1
        if self._crashes[task.key] > self._retries:
            yield from self.settle(task, None, WorkerCrashError(f"its process died ({how})"))
            return
        _log.warning("%s: its process died (%s); it is begun again", task.key, how)
        self._taken -= 1
        self._ready.insert(0, (0.0, task))

    def _free(self) -> None:
        free = [task for task in self._waiting.values() if task.after <= self._done]
        for task in free:
            del self._waiting[task.key]
            self._ready.append((0.0, task))

    def _drop(self, key: str) -> list[Task]:
        """Take out of the queue what needs a task, or needs what needs it, in order."""
        lost, dropped = {key}, []
        while found := [task for task in self._waiting.values() if task.after & lost]:
            for task in found:
                dropped.append(self._waiting.pop(task.key))
                lost.add(task.key)
        return dropped


def _check(tasks: Sequence[Task], by_key: dict[str, Task]) -> None:
    """Refuse what would wait for ever."""
    if len(by_key) < len(tasks):
        raise ValueError("two tasks have the same key")
    unknown = {key for task in tasks for key in task.after} - set(by_key)
    if unknown:
        raise ValueError(f"tasks wait for unknown ones: {', '.join(sorted(unknown))}")
    TopologicalSorter({task.key: task.after for task in tasks}).prepare()
