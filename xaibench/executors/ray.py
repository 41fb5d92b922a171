"""Ray: tasks on all machines of a cluster, begun again elsewhere where a worker is lost."""

import logging
import os
import signal
import tempfile
import time
from collections import OrderedDict
from collections.abc import Generator, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from ray import ObjectRef, cancel, get, put, remote, wait
from ray.exceptions import (
    LocalRayletDiedError,
    OutOfMemoryError,
    RayError,
    RayTaskError,
    RuntimeEnvSetupError,
    WorkerCrashedError,
)

from xaibench.executors import carrying
from xaibench.executors.cluster import connected, room_for, settled
from xaibench.executors.outcome import Outcome, attempt, portable
from xaibench.executors.records import replay, sent_by, wanted_level
from xaibench.executors.schedule import Do, Done, Queue, Resources, Task
from xaibench.executors.threads import limited_threads

_DATA = "XAIBENCH_DATA"
_FEW = 16  # tasks that may wait however small the cluster is: it may be growing
_KEPT = 8  # folders that stay in Ray's store for the next task that reads them


def ray(do: Do, tasks: Sequence[Task], resources: Resources) -> Generator[Done, None, None]:
    """Do tasks on a Ray cluster; more than it has room for are on offer, so that it may grow.

    Where the connection's own node dies, nothing can be done by it any more: another is made.
    """
    queue = Queue(tasks, resources.retries)
    while queue.is_open:
        with connected(resources) as ours:
            crew = _Crew(do, settled(resources))
            try:
                while queue.is_open and not (ours and crew.is_cut_off):
                    while crew.has_room and (task := queue.take()):
                        yield from crew.begin(task, queue)
                    yield from crew.settle(queue)
                yield from crew.give_up(queue)
            finally:
                crew.cancel()


class _Order(NamedTuple):
    """What a worker needs to know beside the files that it reads."""

    do: Do
    payload: Any
    out: Path | None  # where it doesn't see the output: a folder of its own
    threads: int
    level: int
    data: str


class _Report(NamedTuple):
    """What comes back."""

    records: list[logging.LogRecord]
    outcome: Outcome
    changes: carrying.Changes | None


class _Crew:
    """The tasks that Ray has, and what is done with them when they come back."""

    def __init__(self, do: Do, resources: Resources) -> None:
        self._do, self._means = do, resources
        self._store = _Store(resources.out)
        self._tasks: dict[ObjectRef, Task] = {}
        self.is_cut_off = False
        """Whether Ray's node on this machine has died, and with it the connection."""

    @property
    def has_room(self) -> bool:
        """Whether another task may be handed to Ray."""
        most = self._means.workers or max(2 * room_for(self._means), _FEW)
        return len(self._tasks) < most

    def begin(self, task: Task, queue: Queue) -> Iterator[Done]:
        """Hand a task to Ray; yield it if it was done here."""
        resources, shared = self._means, self._means.shared
        if task.local and not shared:
            with limited_threads(resources.threads):
                yield from queue.settle(task, *attempt(self._do, task.payload, resources.out))
            return
        order = _Order(
            self._do,
            task.payload,
            resources.out if shared else None,
            resources.threads,
            wanted_level(),
            os.environ.get(_DATA, ""),
        )
        parcels = [] if shared else [self._store.keep(place) for place in task.reads]
        # Ray's own retries would be silent, and without end where memory is short.
        follow = remote(_follow).options(
            num_cpus=resources.threads,
            num_gpus=int(bool(resources.cuda)),
            max_retries=0,
            name=task.key,
        )
        self._tasks[follow.remote(order, *parcels)] = task

    def settle(self, queue: Queue) -> Iterator[Done]:
        """Wait until a task comes back, or may be asked for again; yield what is known then."""
        if not self._tasks:
            time.sleep(queue.pause or 0)
            return
        ready, _ = wait(list(self._tasks), timeout=queue.pause if self.has_room else None)
        for answer in ready:
            yield from self._settle(self._tasks.pop(answer), answer, queue)

    def give_up(self, queue: Queue) -> Iterator[Done]:
        """Count all that is at work as crashed."""
        while self._tasks:
            _, task = self._tasks.popitem()
            yield from queue.crash(task, "its connection to Ray was lost")

    def cancel(self) -> None:
        """End all that is at work."""
        for answer in self._tasks:
            with suppress(RayError, ValueError):
                cancel(answer, force=True)

    def _settle(self, task: Task, answer: ObjectRef, queue: Queue) -> Iterator[Done]:
        try:
            report: _Report = get(answer)
        except (RayTaskError, RuntimeEnvSetupError) as error:  # it couldn't even begin
            cause = getattr(error, "cause", None)
            yield from queue.settle(task, *portable(Outcome(error=cause or error)))
        except RayError as error:
            self.is_cut_off |= isinstance(error, LocalRayletDiedError)
            yield from queue.crash(task, _how(error))
        else:
            for record in report.records:
                replay(record)
            if report.changes is not None:
                carrying.apply(report.changes, self._means.out)
            yield from queue.settle(task, *report.outcome)


class _Store:
    """Folders in Ray's store: each is put there once for all tasks that read it."""

    def __init__(self, out: Path) -> None:
        self._out = out
        self._kept: OrderedDict[str, tuple[Any, ObjectRef]] = OrderedDict()

    def keep(self, place: str) -> ObjectRef:
        """Return where the files of a place are; they travel again only if they have changed."""
        stamps = carrying.stamps_of(self._out, place)
        if place not in self._kept or self._kept[place][0] != stamps:
            self._kept[place] = stamps, put(carrying.pack(self._out, place))
        self._kept.move_to_end(place)
        while len(self._kept) > _KEPT:  # tasks at work hold on to what they read
            self._kept.popitem(last=False)
        return self._kept[place][1]


def _follow(order: _Order, *parcels: carrying.Files) -> _Report:
    if order.data:
        os.environ.setdefault(_DATA, order.data)
    # Ray's own handler raises SystemExit, which would pass for what the task does.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    records: list[logging.LogRecord] = []
    with sent_by(records.append, order.level), limited_threads(order.threads):
        if order.out is not None:
            return _Report(records, portable(attempt(order.do, order.payload, order.out)), None)
        with tempfile.TemporaryDirectory(prefix="xaibench-") as folder:
            out = Path(folder)
            for files in parcels:
                carrying.unpack(files, out)
            before = carrying.stamps_of(out)
            outcome = portable(attempt(order.do, order.payload, out))
            return _Report(records, outcome, carrying.changes_since(before, out))


def _how(error: RayError) -> str:
    if isinstance(error, OutOfMemoryError):
        return "out of memory"
    if isinstance(error, WorkerCrashedError):
        return "killed; perhaps out of memory"
    return f"its machine was lost: {type(error).__name__}"
