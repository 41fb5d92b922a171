"""Doing one step of one job, in whichever process: train, explain a part, analyze, or join."""

import logging
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path

from xaibench.core.passes.device import choose_device, repeatable
from xaibench.core.plugin import Bound
from xaibench.core.progress import progress_bar
from xaibench.core.registry import bind
from xaibench.explaining.analyze import analyze
from xaibench.explaining.dependence import images_of, is_unmeasured, measure_dependence
from xaibench.explaining.failures import PluginError, tell_failure
from xaibench.explaining.fitted import fit_method
from xaibench.explaining.join import join
from xaibench.explaining.meter import Meter
from xaibench.explaining.part_writer import PartWriter
from xaibench.explaining.parts import PartState, failure_of, threshold_note
from xaibench.explaining.run_session import RunSession
from xaibench.explaining.source import MapSource
from xaibench.explaining.tuned import TUNED
from xaibench.explaining.tuning import Tuning
from xaibench.running.locks import locked
from xaibench.setup.cells import CellState, Ledger, ledger_of
from xaibench.setup.jobs import JobStep, Stage, parts_of
from xaibench.setup.options import RunOptions
from xaibench.setup.selection import Selection
from xaibench.training.trained import load_model, train_model

_log = logging.getLogger(__name__)
Failures = dict[str, str]
_Recipe = tuple[RunOptions, tuple[str, ...], str]
"""Options, metrics and command: all that travels to another process."""


class TaskRunner:
    """What executors call to do a step of a job, in whichever process it finds itself.

    Where it was made it uses the data that are open there; a copy in another process opens its
    own, once.
    """

    def __init__(self, selection: Selection, metrics: Sequence[Bound]) -> None:
        """Take what the run is about, and the metrics that its plan has left."""
        specs = tuple(metric.spec for metric in metrics)
        self._origin = (selection.options, specs, selection.command)
        self._selection: Selection | None = selection
        self._metrics = list(metrics)
        self._session: RunSession | None = None  # stays loaded between the parts of a model
        self.begin: Callable[[JobStep], None] | None = None
        """Told of each step that is begun in this process."""

    def __getstate__(self) -> dict[str, object]:
        """Return what travels: options and names."""
        return {"_origin": self._origin, "_selection": None, "begin": None}

    def __call__(self, step: JobStep, out: Path) -> Failures:
        """Do what is missing of a step; what another run did meanwhile is left alone.

        Args:
            step: of one of the run's jobs.
            out: the run's folder, as this process sees it.

        Returns:
            What failed for good: errors by method, metric or analysis.

        Raises:
            Busy: another process is at it.
            XaibenchError: the model can't be trained or loaded, or nothing can be stored.
        """
        with locked(out, step.key):
            if self.begin is not None:
                self.begin(step)
            home = self if self._selection is not None else _home(*self._origin)
            assert home._selection is not None
            home._selection.place_in(out)
            ledger = ledger_of(home._selection, step.job)
            methods = [bind("method", spec) for spec in step.job.methods]
            if step.stage is Stage.JOIN:  # may be done where there is no such device
                return home._join(ledger, methods)
            with repeatable(choose_device(home._selection.options.device)):
                return home._compute(ledger, methods, step)

    def _compute(self, ledger: Ledger, methods: Sequence[Bound], step: JobStep) -> Failures:
        if step.stage is Stage.ANALYZE:
            return analyze(ledger, load_model(ledger), step.job.analyses)
        if step.stage is Stage.EXPLAIN:
            self._explain(ledger, methods, step)
        elif step.stage is Stage.TRAIN:
            self._train(ledger, methods)
        else:
            self._measure_dependence(ledger, step.job.dependence)
        return {}

    def _train(self, ledger: Ledger, methods: Sequence[Bound]) -> None:
        """Train the model, and tune thresholds for each method whose metrics ask for them."""
        train_model(ledger)
        for method in methods:
            if method.plugin.fit:
                self._fit(ledger, method)
        states = [ledger.cell_state(method) for method in methods]
        states = [state for state in states if self._needs_threshold(state)]
        if not states:
            return
        _log.info("tune %s", ledger.title)
        selection, session, tunings = ledger.selection, self._session_of(ledger), []
        for state in states:
            tuning = Tuning()
            tunings.append((state, tuning, MapSource(state.method, tuning.take)))
        split = selection.split(ledger.fold)
        seen = split.seen_in(split.validation)
        with progress_bar("tune", ledger.title, len(seen)) as bar:
            batches = session.batches(seen, selection.tuning_target)
            session.walk(batches, [source for _, _, source in tunings], bar)
        for state, tuning, source in tunings:
            if source.failure:
                failure_of(state).record(source.failure, skips=source.skips)
            else:
                threshold_note(state).record(tuning.found._asdict())

    def _fit(self, ledger: Ledger, method: Bound) -> None:
        """Let a method learn what it explains the model with, unless it has failed at that."""
        state = ledger.cell_state(method)
        failure = failure_of(state)
        if state.failure is None and failure.content is None:
            try:
                fit_method(ledger, method, self._session_of(ledger))
            except PluginError as error:
                tell_failure(method, ledger.title, error)
                failure.record(str(error), skips=error.skips)

    def _needs_threshold(self, state: CellState) -> bool:
        missing = state.missing_metrics(self._metrics)
        asked = any(TUNED in metric.plugin.signature.words for metric in missing)
        failed = failure_of(state).content is not None
        return asked and not failed and threshold_note(state).content is None

    def _explain(self, ledger: Ledger, methods: Sequence[Bound], step: JobStep) -> None:
        """Explain and score one part of the test images for all methods that lack it."""
        parts = []
        for method in methods:
            state = PartState(ledger.cell_state(method), step.part)
            missing = state.cell.missing_metrics(self._metrics)
            if missing and failure_of(state.cell).content is None and not state.holds(missing):
                parts.append((state, missing))
        if not parts:
            return
        _log.info("%s", step.key)
        session, options = self._session_of(ledger), ledger.selection.options
        samples = step.part.of(ledger.selection.split(ledger.fold, ledger.seed).test)
        with ExitStack() as stack:
            writers = []
            for state, missing in parts:
                meter = Meter(session.engine)
                writer = PartWriter(state, missing, meter, keep_maps=options.keep_maps)
                stack.callback(writer.discard)
                writers.append(writer)
            with progress_bar("explain", ledger.title, len(samples)) as bar:
                session.walk(session.batches(samples, options.target), writers, bar)
            for writer in writers:
                if not writer.failure:
                    writer.commit()

    def _join(self, ledger: Ledger, methods: Sequence[Bound]) -> Failures:
        test = ledger.selection.split(ledger.fold, ledger.seed).test
        parts = parts_of(len(test), ledger.selection.options.part_size)
        failed: Failures = {}
        for method in methods:
            failed |= join(ledger, method, self._metrics, parts)
        return failed

    def _measure_dependence(self, ledger: Ledger, specs: Sequence[str]) -> None:
        """Explain some images again for the methods whose cells are done."""
        states = [ledger.cell_state(bind("method", spec)) for spec in specs]
        methods = [s.method for s in states if s.fits and is_unmeasured(s)]
        if methods:
            _log.info("dependence of %s", ledger.title)
            with progress_bar("dependence", ledger.title, len(images_of(ledger))) as bar:
                measure_dependence(self._session_of(ledger), methods, bar)

    def _session_of(self, ledger: Ledger) -> RunSession:
        """Return the session of a ledger's model, with the images of its fold.

        Equal weights don't make it the same: a model that comes trained has them in every fold and
        under every seed. What was stored in its place meanwhile is loaded anew.
        """
        if self._session is None or not self._session.is_of(ledger):
            self._session = None  # two models at once may be one too many
            self._session = RunSession(ledger)
        return self._session


@lru_cache(maxsize=1)
def _home(options: RunOptions, metrics: tuple[str, ...], command: str) -> TaskRunner:
    """Return what does a run's tasks in this process."""
    selection = Selection(options)
    selection.command = command
    return TaskRunner(selection, [m for m in selection.metrics if m.spec in metrics])
