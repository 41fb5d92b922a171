"""One step of one job: train, explain a part, analyse, or join the parts."""

import logging
from collections.abc import Sequence

from xaibench.core.plugin import Bound
from xaibench.core.registry import bind
from xaibench.explaining.analyse import analyse
from xaibench.explaining.join import join
from xaibench.explaining.parts import PartState, failure_of, threshold_of
from xaibench.explaining.tuning import TUNED
from xaibench.explaining.walk import Worker
from xaibench.setup.cells import CellState, Ledger, ledger_of
from xaibench.setup.jobs import Step, Work, parts_of
from xaibench.setup.selection import Selection
from xaibench.training.trained import load_model, train_model

_log = logging.getLogger(__name__)
Failures = dict[str, str]


class Workshop:
    """Does the work of a run in this process; the model at hand stays loaded between its parts."""

    def __init__(self, selection: Selection, metrics: Sequence[Bound]) -> None:
        self.selection, self.metrics = selection, metrics
        self._worker: Worker | None = None

    def do(self, work: Work) -> Failures:
        """Do what is missing of a piece of work; what another run did meanwhile is left alone.

        Returns:
            What failed for good: errors by method, metric or analysis.

        Raises:
            XaibenchError: the model can't be trained or loaded, or nothing can be stored.
        """
        job = work.job
        ledger = ledger_of(self.selection, job)
        methods = [bind("method", spec) for spec in job.methods]
        if work.step is Step.TRAIN:
            self._train(ledger, methods, work)
        elif work.step is Step.EXPLAIN:
            self._explain(ledger, methods, work)
        elif work.step is Step.ANALYSE:
            return analyse(ledger, load_model(ledger), job.analyses)
        else:
            return self._join(ledger, methods)
        return {}

    def _train(self, ledger: Ledger, methods: Sequence[Bound], work: Work) -> None:
        train_model(ledger)
        states = [ledger.cell_state(method) for method in methods]
        untuned = [state for state in states if self._needs_threshold(state)]
        if untuned:
            _log.info("tune %s", work.job.title)
            self._worker_of(ledger).tune(untuned)

    def _needs_threshold(self, state: CellState) -> bool:
        missing = state.missing_metrics(self.metrics)
        asked = any(TUNED in metric.plugin.signature.words for metric in missing)
        failed = failure_of(state).content is not None
        return asked and not failed and threshold_of(state).content is None

    def _explain(self, ledger: Ledger, methods: Sequence[Bound], work: Work) -> None:
        cells = [ledger.cell_state(method) for method in methods]
        states = [PartState(cell, work.part) for cell in cells if failure_of(cell).content is None]
        left = [
            state
            for state in states
            if (missing := state.cell.missing_metrics(self.metrics)) and not state.holds(missing)
        ]
        if left:
            _log.info("%s", work.key)
            self._worker_of(ledger).explain(left, self.metrics)

    def _join(self, ledger: Ledger, methods: Sequence[Bound]) -> Failures:
        test = self.selection.split(ledger.fold).test
        parts = parts_of(len(test), self.selection.options.part_size)
        failed: Failures = {}
        for method in methods:
            failed |= join(ledger, method, self.metrics, parts)
        return failed

    def _worker_of(self, ledger: Ledger) -> Worker:
        """Return the model of a ledger, loaded, with the images of its fold.

        Equal weights don't make it the same: a model that comes trained has them in every fold and
        under every seed. What was stored in its place meanwhile is loaded anew.
        """
        if self._worker is None or not self._worker.is_of(ledger):
            self._worker = None  # two models at once may be one too many
            self._worker = Worker(ledger)
        return self._worker
