"""The whole run: all tasks of a plan, then the tables."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from xaibench.callbacks.find import make_callbacks
from xaibench.callbacks.told import Callbacks
from xaibench.core.errors import StorageError, XaibenchError, reason_of
from xaibench.core.logs import logged_to
from xaibench.core.progress import progress_bar
from xaibench.executors.find import EXECUTORS
from xaibench.executors.schedule import (
    Done,
    Executor,
    Resources,
    SkippedError,
    Task,
    WorkerCrashError,
)
from xaibench.explaining.analyze import check_same_run
from xaibench.results.folder import RUN_FILE, SEAL_FILE, Layout
from xaibench.results.integrity import as_json, intact_record, write_record
from xaibench.results.plain import check_plain
from xaibench.results.records import RunRecord, Skip
from xaibench.results.seal import is_whole
from xaibench.running.cleanup import clear, remove_temporary
from xaibench.running.collect import collect_tables
from xaibench.running.crashes import happened_in_methods, one_method_each, record_crash
from xaibench.running.estimate import passes_of, passes_of_all
from xaibench.running.events import Events
from xaibench.running.locks import registered, settled
from xaibench.running.plan import Plan, make_plan
from xaibench.running.retry import clear_failures
from xaibench.running.run_record import describe_run, save_split
from xaibench.running.sharing import Sharing, forget
from xaibench.running.task_runner import Failures, TaskRunner
from xaibench.running.tasks import tasks_of
from xaibench.running.upgrade import renew
from xaibench.setup.devices import wants_gpu
from xaibench.setup.jobs import Job, JobStep, Stage
from xaibench.setup.provenance import threads_of
from xaibench.setup.selection import Selection

_log = logging.getLogger(__name__)


@dataclass
class RunOutcome:
    """What a run came to."""

    out: Path
    failures: dict[str, str] = field(default_factory=dict)
    skips: Sequence[Skip] = ()

    @property
    def has_no_results(self) -> bool:
        """Whether so much has failed that there is nothing to report."""
        return bool(self.failures) and not Layout(self.out).holds_results


def run_plan(
    selection: Selection,
    plan: Plan,
    command: str,
    suite: Mapping[str, str] | None = None,
    callbacks: Callbacks | None = None,
) -> RunOutcome:
    """Do all jobs and gather what they and earlier runs left; ``run.log`` there tells of it.

    A plan of analyses alone, in the folder of a run, leaves that run's tables as they are.

    Args:
        selection: what the run is about.
        plan: made for it.
        command: what the user wrote, to repeat the run.
        suite: name, profile and part of the suite that it belongs to.
        callbacks: that are told of it and of more; None takes those that the options name.
    """
    out = selection.layout.out
    check_plain(out)
    told = make_callbacks(selection.options.callbacks) if callbacks is None else callbacks
    own = told if callbacks is None else nullcontext()
    selection.command = command
    sharing = Sharing(selection, command)
    with logged_to(out, command), registered(out, partial(_clear, out), sharing.enter), own:
        events = Events(selection, plan.metrics, told)
        events.start()
        outcome, stored = RunOutcome(out), intact_record(out / RUN_FILE, RunRecord)
        alone = not plan.cells and bool(stored and stored.methods)
        _prepare(selection, stored, alone=alone)
        splits = dict(save_split(selection, fold) for fold in selection.folds)
        with settled(out):
            if not alone and not (out / SEAL_FILE).is_file():  # what is sealed stays until the end
                write_record(out / RUN_FILE, describe_run(selection, plan, splits, suite))
        execution = _Execution(selection, plan, outcome, events)
        execution.run(tasks_of(selection, plan.jobs))
        if execution.crashed:
            _log.warning("workers died that had several methods at work: each is asked alone")
            execution.run(tasks_of(selection, one_method_each(execution.crashed)))
        remove_temporary(out)  # of workers that crashed
        outcome.failures |= plan.failed
        if not alone:
            with settled(out):
                united = sharing.united()
                whole = plan if united is selection else make_plan(united)
                about = describe_run(united, whole, splits, suite)
                outcome.skips = about.skipped
                _finish(united, whole, about)
        return outcome


def _prepare(selection: Selection, stored: RunRecord | None, *, alone: bool) -> None:
    """Bring what earlier runs left into the form of today."""
    if stored and stored.schema is None:
        renew(selection, stored)
    if alone:
        check_same_run(selection)
    remove_temporary(selection.layout.out)
    if selection.options.retry_failed:
        clear_failures(selection)


def _clear(out: Path) -> None:
    clear(out)
    forget(out / "locks" / "runs")


def _finish(selection: Selection, plan: Plan, about: RunRecord) -> None:
    """Describe the run and gather its tables, unless all of it is there already."""
    out = selection.layout.out
    stored = intact_record(out / RUN_FILE, RunRecord)
    same = stored and as_json(replace(stored, command="")) == as_json(replace(about, command=""))
    if plan.jobs or not is_whole(out) or not same:
        write_record(out / RUN_FILE, about)
        collect_tables(selection, plan)


class _Execution:
    """Tasks being done, and what they come to."""

    def __init__(
        self, selection: Selection, plan: Plan, outcome: RunOutcome, events: Events
    ) -> None:
        self._selection, self._plan, self._outcome = selection, plan, outcome
        self._events = events
        self._runner = TaskRunner(selection, plan.metrics)
        self.crashed: list[Job] = []

    def run(self, tasks: Sequence[Task]) -> None:
        """Do tasks; keep what failed.

        Raises:
            XaibenchError: nothing can be stored, or the only model of the plan failed.
        """
        selection, plan = self._selection, self._plan
        execute: Executor = EXECUTORS.load(selection.options.executor)
        # Only what is done one by one has a pace that tells the time left.
        here = selection.options.executor == "serial"
        ahead = passes_of_all(selection, plan, [task.payload for task in tasks]) if here else None
        with (
            self._events.following(tasks),
            progress_bar("run", selection.dataset_spec, len(tasks), ahead=ahead) as bar,
        ):
            if here:
                self._runner.begin = lambda step: bar.expect(passes_of(selection, plan, step))
            # Closed at once when this ends, however it ends: no worker must outlive it.
            with closing(execute(self._runner, tasks, resources_of(selection))) as finished:
                for done in finished:
                    self._note(done)
                    bar.advance()

    def _note(self, done: Done) -> None:
        step, error = done.task.payload, done.error
        if error is None:
            self._finish(step, done.answer)
        elif isinstance(error, WorkerCrashError) and happened_in_methods(self._selection, step):
            self._note_crash(step.job, str(error))
        elif not isinstance(error, SkippedError):
            mistake = isinstance(error, XaibenchError) and not isinstance(error, WorkerCrashError)
            if isinstance(error, StorageError) or (mistake and len(self._plan.jobs) == 1):
                raise error
            # One model that can't be trained must not cost the others' results.
            reason = reason_of(error)
            idle = step.stage is Stage.TRAIN and not self._plan.trains(step.job)
            _log.error("%s failed: %s", step.job.title if idle else done.task.key, reason)
            _log.debug("traceback of %s", done.task.key, exc_info=error)
            self._outcome.failures[step.job.title] = reason

    def _note_crash(self, job: Job, reason: str) -> None:
        """Ask the methods alone that a worker had that died, or know which one has killed it."""
        if len(job.methods) > 1:
            self.crashed.append(job)
            return
        record_crash(self._selection, job, reason)
        rest = JobStep(Stage.JOIN, job)
        self._finish(rest, self._runner(rest, self._outcome.out))

    def _finish(self, step: JobStep, failures: Failures) -> None:
        failed = {f"{what} on {step.job.title}": why for what, why in failures.items()}
        self._outcome.failures |= failed
        self._events.after(step)


def resources_of(selection: Selection) -> Resources:
    """Return what the options say of workers, complete."""
    options = selection.options
    return Resources(
        out=selection.layout.out,
        workers=options.workers,
        threads=threads_of(options),
        cuda=wants_gpu(options),
        address=options.address,
        shared=options.shared,
    )
