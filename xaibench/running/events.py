"""What callbacks are told of a run: read from what its tasks leave on the disk.

Workers tell nothing: whoever does a task, its files are where this process looks.
"""

import csv
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Lock, Thread

from xaibench.callbacks.callback import CellEnd, EpochEnd, RunStart
from xaibench.callbacks.told import Callbacks
from xaibench.core.plugin import Bound
from xaibench.core.registry import bind
from xaibench.executors.schedule import Task
from xaibench.results.folder import HISTORY_FILE, SCORES_FILE, Place
from xaibench.results.tables import COSTS, read_table
from xaibench.setup.cells import ledger_of
from xaibench.setup.jobs import JobStep, Stage
from xaibench.setup.selection import Selection

_LOOK_SECONDS = 2.0


class Events:
    """Tells callbacks what has happened."""

    def __init__(
        self, selection: Selection, metrics: Sequence[Bound], callbacks: Callbacks
    ) -> None:
        self._selection, self._metrics, self._callbacks = selection, metrics, callbacks
        self._told: dict[Place, list[dict[str, str]]] = {}
        self._lock = Lock()

    def start(self) -> None:
        """Tell that the run begins."""
        run = self._selection
        event = RunStart(run.layout.out, run.options.as_dict(), run.command)
        self._callbacks.on_run_start(event)

    @contextmanager
    def following(self, tasks: Sequence[Task]) -> Iterator[None]:
        """Tell of epochs while the block trains networks, and of the last when it ends."""
        if not self._callbacks:
            yield
            return
        ledgers = [
            ledger_of(self._selection, task.payload.job)
            for task in tasks
            if task.payload.stage is Stage.TRAIN
        ]
        places = [ledger.place for ledger in ledgers]
        # An earlier call has told of those that are there.
        self._told |= {place: self._history(place) for place in places if place not in self._told}
        ended = Event()
        follower = Thread(target=self._follow, args=(ended,), daemon=True)
        follower.start()
        try:
            yield
        finally:
            ended.set()
            follower.join()

    def after(self, step: JobStep) -> None:
        """Tell what a task has left."""
        if not self._callbacks:
            return
        if step.stage is Stage.TRAIN:
            self._tell_epochs()
        elif step.stage is Stage.JOIN:
            for method in step.job.methods:
                self._tell_cell(step, bind("method", method))

    def _follow(self, ended: Event) -> None:
        last = False
        while not last:
            last = ended.wait(_LOOK_SECONDS)
            self._tell_epochs()

    def _tell_epochs(self) -> None:
        with self._lock:
            for place, told in self._told.items():
                for row in self._history(place):
                    if row not in told:  # each has the time it took: a training anew has others
                        told.append(row)
                        values = {name: float(text or "nan") for name, text in row.items()}
                        epoch = int(values.pop("epoch"))
                        self._callbacks.on_epoch_end(EpochEnd(place, epoch, values))

    def _history(self, place: Place) -> list[dict[str, str]]:
        path = self._selection.layout.model_folder(place) / HISTORY_FILE
        return list(csv.DictReader(path.open(encoding="utf-8"))) if path.is_file() else []

    def _tell_cell(self, step: JobStep, method: Bound) -> None:
        ledger = ledger_of(self._selection, step.job)
        state = ledger.cell_state(method)
        scores = _means(ledger.cell_folder(method)) if state.scored else {}
        costs = {name: state.known.costs[name] for name in COSTS}
        event = CellEnd(
            ledger.place,
            method.spec,
            {spec: mean for spec, mean in scores.items() if spec in state.scored},
            {name: math.nan if cost is None else cost for name, cost in costs.items()},
            state.failures(self._metrics),
        )
        self._callbacks.on_cell_end(event)


def _means(cell: Path) -> dict[str, float]:
    values = read_table(cell / SCORES_FILE).groupby("metric", sort=False)["value"]
    return {str(metric): float(mean) for metric, mean in values.mean().items()}
