"""Serial: one task after the other, in this process."""

import time
from collections.abc import Generator, Sequence

from xaibench.executors.outcome import attempt
from xaibench.executors.schedule import Do, Done, Queue, Resources, Task
from xaibench.executors.threads import limited_threads


def serial(do: Do, tasks: Sequence[Task], resources: Resources) -> Generator[Done, None, None]:
    """Do all tasks here, those first that nobody else works on."""
    queue = Queue(tasks)
    while queue.is_open:
        task = queue.take()
        if task is None:
            time.sleep(queue.pause or 0)
            continue
        with limited_threads(resources.threads):
            outcome = attempt(do, task.payload, resources.out)
        yield from queue.settle(task, *outcome)
