"""How long ImageNet would take on 64 GPUs: ``python benchmarks/imagenet_plan.py [1300000]``.

Plans a run on so many made-up samples of 1000 classes without files and 20 methods, and lets the
real queue of tasks be worked off by 64 workers under a simulated clock. What an image costs tells
`imagenet_costs.py`. Prints Markdown tables; what planning takes is CPU time.
"""

import heapq
import logging
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

from imagenet_costs import CLASSES, COMMON, Costs, cost_of, try_out

import xaibench
from xaibench.executors.schedule import Queue, Task
from xaibench.running.plan import make_plan
from xaibench.running.tasks import tasks_of
from xaibench.setup.cells import data_fingerprint
from xaibench.setup.jobs import Stage
from xaibench.setup.selection import select

_IMAGES, _WORKERS = 1_300_000, 64
_LEARNED = 4 * CLASSES  # a split wants images to learn from; this network comes trained
_PART_SIZES = (100, 250, 1000, 4000)
_HOUR, _KILOBYTE, _GB = 3600, 1024, 1e9
_BYTES = ("maps", "scores", "confidences")


@xaibench.dataset()
def made_up(*, images: int = 1000) -> xaibench.Dataset:
    """Name images of 1000 classes that nobody has: a few to learn from, all others to test."""
    parts = ["train"] * _LEARNED + ["test"] * images
    places = ((f"n{at % CLASSES:08}/n{at % CLASSES:08}_{at:07}", at) for at in range(len(parts)))
    samples = (
        xaibench.Sample(name, Path(f"{name}.JPEG"), at % CLASSES, part=parts[at])
        for name, at in places
    )
    return xaibench.Dataset(tuple(f"n{at:08}" for at in range(CLASSES)), tuple(samples))


def simulate(tasks: Sequence[Task], seconds: Callable[[Task], float], lost: int = 0) -> float:
    """Let workers do all tasks; return seconds by the clock until the last is done.

    Args:
        tasks: of a run.
        seconds: that one takes.
        lost: so many parts lose their worker just before they are done, the worst moment.
    """
    parts = [task.key for task in tasks if task.payload.stage is Stage.EXPLAIN]
    doomed = set(random.Random(0).sample(parts, min(lost, len(parts))))
    queue, order, clock = Queue(tasks, retries=1), count(), 0.0
    running: list[tuple[float, int, Task]] = []
    while queue.is_open:
        while len(running) < _WORKERS and (task := queue.take()):
            heapq.heappush(running, (clock + seconds(task), next(order), task))
        clock, _, task = heapq.heappop(running)
        dies = task.key in doomed
        doomed.discard(task.key)
        for _ in queue.lose(task, "lost") if dies else queue.settle(task, {}):
            pass
    return clock


class Planner:
    """Plans, and notes what each step takes."""

    def __init__(self, images: int, out: Path) -> None:
        self.laps: list[tuple[str, float, float]] = []
        given = {**COMMON, "plugin": (*COMMON["plugin"], __file__), "split": "official"}
        self.selection = select({**given, "dataset": f"made_up[images={images}]", "out": str(out)})
        self._note("list the samples", lambda: self.selection.dataset)
        self._note("divide them", lambda: self.selection.split(0))
        self._note("fingerprint them", lambda: data_fingerprint(self.selection, 0))
        self.opening = sum(seconds for _, seconds, _ in self.laps)
        self._note("plan", self._plan)

    def tasks(self, part_size: int) -> Sequence[Task]:
        """Return the tasks of a run in parts of a size."""
        selection = self.selection
        selection.options = replace(selection.options, part_size=part_size)
        return tasks_of(selection, self.plan.jobs)

    def _plan(self) -> None:
        self.plan = make_plan(self.selection)

    def _note(self, what: str, do: Callable[[], object]) -> None:
        started = time.process_time()
        do()
        held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KILOBYTE / _GB
        self.laps.append((what, time.process_time() - started, held))


def schedules(planner: Planner, costs: Costs, images: int) -> Iterator[tuple[object, ...]]:
    """Yield a row for each size of parts."""
    yield "part size", "tasks", "wall", "GPU hours", "useful", "64 workers lost", "scheduling"
    useful = (costs.image + costs.storing) * images
    for size in _PART_SIZES:
        tasks, started = planner.tasks(size), time.process_time()
        wall = simulate(tasks, lambda task: costs.of(task, images))
        took = time.process_time() - started
        lossy = simulate(tasks, lambda task: costs.of(task, images), _WORKERS)
        yield (
            f"{size:,}", f"{len(tasks):,}", f"{wall / _HOUR:.1f} h",
            f"{wall * _WORKERS / _HOUR:,.0f}", f"{useful / wall / _WORKERS:.1%}",
            f"{(lossy - wall) / _HOUR:+.2f} h", f"{took:.1f} s",
        )  # fmt: skip


def show(rows: Sequence[Sequence[object]]) -> None:
    """Print a Markdown table; the first row is its header."""
    for row in (rows[0], ["---"] * len(rows[0]), *rows[1:]):
        print(f"| {' | '.join(map(str, row))} |")
    print()


def main(images: int) -> None:
    """Try out, plan, simulate, print."""
    logging.getLogger("xaibench").setLevel("ERROR")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        planner = Planner(images, folder / "planned")
        tried = try_out(folder / "tried")
        costs = cost_of(tried, planner.opening, images, folder)
    laps = ((what, f"{took:.0f} s", f"{held:.1f} GB") for what, took, held in planner.laps)
    show([("planning", "takes", "memory by then"), *laps])
    show([("method", "passes an image", "bytes of its maps"),
          *((each.Index, f"{each.passes:,.0f}", f"{each.stored:,.0f}")
            for each in tried.itertuples()),
          ("all", f"{tried['passes'].sum():,.0f}", f"{costs.maps:,.0f}")])  # fmt: skip
    show([("an image, or opening", "takes"), *((name, f"{1000 * value:.2f} ms")
          for name, value in costs._asdict().items() if name not in _BYTES)])  # fmt: skip
    show([*schedules(planner, costs, images)])
    sizes = {
        "raw maps": costs.maps,
        "scores.csv": costs.scores,
        "predictions.csv": costs.confidences,
    }
    show([("file", "size"),
          *((name, f"{size * images / _GB:,.0f} GB") for name, size in sizes.items())])  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else _IMAGES)
