"""Processes: several on this machine, each with a GPU of its own where tasks ask for one."""

import atexit
import logging
import multiprocessing
import pickle
import signal
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import connection
from pathlib import Path
from typing import Any

from xaibench.core.errors import XaibenchError
from xaibench.executors.machine import count_workers, environment, gpu_of, variables_of
from xaibench.executors.outcome import Outcome
from xaibench.executors.records import replay, wanted_level
from xaibench.executors.schedule import Do, Done, Queue, Resources, Task
from xaibench.executors.worker import work_off

_PATIENCE = 10.0  # seconds for a worker to end that has nothing to do
_FAULT = 1  # exit code of a Python that ends by an error


def processes(do: Do, tasks: Sequence[Task], resources: Resources) -> Generator[Done, None, None]:
    """Do tasks side by side; the task of a worker that dies is begun again in a new one."""
    queue = Queue(tasks, resources.retries)
    pool = _Pool(do, resources, min(count_workers(resources), len(tasks)))
    try:
        while queue.is_open:
            while pool.has_room and (task := queue.take()):
                pool.begin(task)
            yield from pool.settle(queue)
        pool.dismiss()
    finally:
        pool.kill()


class _Worker:
    """A process and the line to it, as the scheduling process sees them."""

    def __init__(self, number: int, resources: Resources, variables: dict[str, str]) -> None:
        self.task: Task | None = None
        self.is_alive, self._is_ready = True, False
        context = multiprocessing.get_context("spawn")
        self.line, theirs = context.Pipe()
        self.process = context.Process(
            target=work_off,
            args=(theirs, resources.threads, wanted_level()),
            name=f"worker {number}",
        )
        with environment(variables | gpu_of(resources, number)), _deaf_to_interrupts():
            self.process.start()
        theirs.close()

    def begin(self, task: Task, do: Do, out: Path) -> None:
        """Hand it a task."""
        self.task = task
        with suppress(OSError):  # it has just died, which is noticed when it is listened to
            self.line.send_bytes(pickle.dumps((do, task.payload, out)))

    def settle(self, queue: Queue) -> Iterator[Done]:
        """Yield what it has done, or lost by dying, since it was last asked."""
        for message in self._hear():
            if isinstance(message, Outcome) and self.task is not None:
                task, self.task = self.task, None
                yield from queue.settle(task, *message)
            elif isinstance(message, logging.LogRecord):
                replay(message)
            else:
                self._is_ready = True
        if not self.is_alive and self.task is not None:
            yield from queue.crash(self.task, self._autopsy())

    def kill(self) -> None:
        """End it at once; nothing it has committed can be lost by that."""
        self.process.kill()
        self.process.join()
        self.line.close()

    def _hear(self) -> Iterator[Any]:
        try:
            while self.line.poll():
                yield self.line.recv()
            self.is_alive = self.process.is_alive()
        except (EOFError, OSError):
            self.is_alive = False
        if not self.is_alive:
            self.process.join(_PATIENCE)
            self.kill()

    def _autopsy(self) -> str:
        code = self.process.exitcode or 0
        if code == _FAULT and not self._is_ready:
            raise XaibenchError(
                "--executor processes: a worker can't be started, as it says above; what a script "
                "does with workers must be below its `if __name__ == '__main__':`."
            )
        if code >= 0:
            return f"exit code {code}"
        memory = "; perhaps out of memory" if code == -signal.SIGKILL else ""
        return f"signal {-code}{memory}"


class _Pool:
    """The workers, of which each is started when there is something for it to do."""

    def __init__(self, do: Do, resources: Resources, size: int) -> None:
        self._do, self._means = do, resources
        self._variables = variables_of(resources, size)
        self._workers: dict[int, _Worker | None] = dict.fromkeys(range(size))
        # Python waits at its end for processes that nobody has ended.
        atexit.register(self.kill)

    @property
    def has_room(self) -> bool:
        """Whether a worker has nothing to do, or can be started."""
        return any(worker is None or worker.task is None for worker in self._workers.values())

    def begin(self, task: Task) -> None:
        """Hand a task to a worker that has none, or else to a new one."""
        free = {n: worker for n, worker in self._workers.items() if not (worker and worker.task)}
        number = next((n for n, worker in free.items() if worker), next(iter(free)))
        worker = free[number] or _Worker(number, self._means, self._variables)
        self._workers[number] = worker
        worker.begin(task, self._do, self._means.out)

    def settle(self, queue: Queue) -> Iterator[Done]:
        """Wait until a worker has something to say, or a task may be asked for again."""
        workers = [worker for worker in self._workers.values() if worker]
        signs = [sign for worker in workers for sign in (worker.line, worker.process.sentinel)]
        connection.wait(signs, queue.pause if self.has_room else None)
        for number, worker in self._workers.items():
            if worker is not None:
                yield from worker.settle(queue)
                if not worker.is_alive:
                    self._workers[number] = None

    def dismiss(self) -> None:
        """Let all workers end by themselves; they have nothing to do."""
        for worker in filter(None, self._workers.values()):
            worker.line.close()
        for worker in filter(None, self._workers.values()):
            worker.process.join(_PATIENCE)

    def kill(self) -> None:
        """End all workers at once."""
        atexit.unregister(self.kill)
        for worker in filter(None, self._workers.values()):
            worker.kill()


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Start processes that ignore Ctrl-C from their first moment: it is this one that ends them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
