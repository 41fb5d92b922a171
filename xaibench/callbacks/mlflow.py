"""Options, curves of training and scores for MLflow."""

import re
import time
from collections.abc import Mapping
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric, Param

from xaibench.callbacks.callback import BoardWritten, Callback, CellEnd, EpochEnd, RunEnd, RunStart
from xaibench.core.spec import as_text
from xaibench.results.folder import BOARD_FILE, Place

_PARENT, _NAME = "mlflow.parentRunId", "mlflow.runName"
_LONGEST = 500  # what servers take of a parameter


class MLflow(Callback):
    """Logs options, losses by epoch, mean scores and the leaderboard as runs of MLflow.

    A run that does something is a run of MLflow, with the leaderboard and a run below it for each
    network, which has the losses by epoch and each method's scores and costs.

    Args:
        uri: of the tracking server or its database; empty: as MLflow's own settings say.
        experiment: the runs belong to; it is made where there is none.
    """

    def __init__(self, *, uri: str = "", experiment: str = "xaibench") -> None:
        self._client = MlflowClient(uri or None)
        self._experiment = experiment
        self._start: RunStart | None = None
        self._runs: dict[Place | None, str] = {}

    def on_run_start(self, event: RunStart) -> None:
        """Keep the options for the first thing that is logged."""
        self._start = event

    def on_epoch_end(self, event: EpochEnd) -> None:
        """Log a point of each curve of a network."""
        self._log(event.model, event.values, event.epoch)

    def on_cell_end(self, event: CellEnd) -> None:
        """Log each mean score and cost of a method."""
        self._log(event.model, {**event.scores, **event.costs}, folder=f"{_plain(event.method)}/")

    def on_board(self, event: BoardWritten) -> None:
        """Log the leaderboard as a file."""
        self._client.log_text(self._run(None), event.table.to_csv(index=False), BOARD_FILE)

    def on_run_end(self, event: RunEnd) -> None:
        """Mark all runs as finished, or as failed."""
        for run in self._runs.values():
            self._client.set_terminated(run, "FAILED" if event.error else "FINISHED")

    def _log(
        self, model: Place, values: Mapping[str, float], step: int = 0, folder: str = ""
    ) -> None:
        now = int(time.time() * 1000)
        metrics = [Metric(folder + _plain(name), v, now, step) for name, v in values.items()]
        self._client.log_batch(self._run(model), metrics=metrics)

    def _run(self, model: Place | None) -> str:
        """Return the run of a network, or of all; it is made when something is logged in it."""
        if model not in self._runs:
            self._runs[model] = self._make_run(model)
        return self._runs[model]

    def _make_run(self, model: Place | None) -> str:
        known = self._client.get_experiment_by_name(self._experiment)
        at = known.experiment_id if known else self._client.create_experiment(self._experiment)
        if model is None:
            parameters: dict[str, Any] = dict(self._start.options) if self._start else {}
            tags = {_NAME: self._start.out.name} if self._start else {}
        else:
            parameters = model._asdict()
            tags = {_NAME: model.title, _PARENT: self._run(None)}
        run = str(self._client.create_run(at, tags=tags).info.run_id)
        texts = [Param(name, as_text(value)[:_LONGEST]) for name, value in parameters.items()]
        self._client.log_batch(run, params=texts)
        return run


def _plain(name: str) -> str:
    """Return a name as MLflow takes it.

    >>> _plain("iou[threshold=0.3]")
    'iou_threshold_0.3'
    """
    return re.sub(r"[^\w.-]+", "_", name).strip("_")
