"""The whole run: all tasks of a plan, then the tables."""

import logging
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from xaibench.core.errors import StorageError, XaibenchError, reason_of
from xaibench.core.logs import logged_to
from xaibench.core.passes.device import choose_device
from xaibench.core.progress import progress_bar
from xaibench.core.store import read_json, remove_leftovers, write_json
from xaibench.executors.find import find_executor
from xaibench.executors.schedule import Done, Means, SkippedError
from xaibench.pipeline.analyse import check_same_run
from xaibench.pipeline.claims import present
from xaibench.pipeline.clearing import clear
from xaibench.pipeline.describe import describe_run, save_split, threads_of
from xaibench.pipeline.doing import Doing
from xaibench.pipeline.estimate import passes_of, passes_of_all
from xaibench.pipeline.forgive import forgive
from xaibench.pipeline.gather import gather
from xaibench.pipeline.jobs import Work
from xaibench.pipeline.plan import Plan
from xaibench.pipeline.selection import Selection
from xaibench.pipeline.tasks import tasks_of
from xaibench.pipeline.work import Failures

_log = logging.getLogger(__name__)


@dataclass
class Outcome:
    """What a run came to."""

    out: Path
    failures: dict[str, str] = field(default_factory=dict)

    @property
    def is_barren(self) -> bool:
        """Whether so much has failed that there is nothing to report."""
        made = ("cells/**/scores.csv", "analyses/**/analysis.json")
        return bool(self.failures) and not any(any(self.out.glob(each)) for each in made)


def run_plan(
    selection: Selection, plan: Plan, command: str, suite: Mapping[str, str] | None = None
) -> Outcome:
    """Do all jobs and gather what they and earlier runs left; ``run.log`` there tells of it.

    A plan of analyses alone, in the folder of a run, leaves that run's tables as they are.

    Args:
        selection: what the run is about.
        plan: made for it.
        command: what the user wrote, to repeat the run.
        suite: name, profile and part of the suite that it belongs to.
    """
    out = selection.layout.out
    with logged_to(out, command), present(out, partial(clear, out)):
        return _run_plan(selection, plan, command, suite)


def _run_plan(
    selection: Selection, plan: Plan, command: str, suite: Mapping[str, str] | None
) -> Outcome:
    out = selection.layout.out
    outcome = Outcome(out)
    alone = not plan.cells and bool(read_json(out / "run.json").get("methods"))
    if alone:
        check_same_run(selection)
    remove_leftovers(out)
    if selection.options.retry_failed:
        forgive(selection)
    splits = dict(save_split(selection, fold) for fold in selection.folds)
    about = describe_run(selection, plan, command, splits)
    if not alone:
        write_json(out / "run.json", about | ({"suite": dict(suite)} if suite else {}))
    _do_all(selection, plan, outcome)
    remove_leftovers(out)  # of workers that were lost
    outcome.failures |= plan.failed
    if not alone:
        gather(selection, plan)
    return outcome


def _do_all(selection: Selection, plan: Plan, outcome: Outcome) -> None:
    options, tasks = selection.options, tasks_of(selection, plan)
    execute = find_executor(options.executor)
    title, alone = selection.dataset_spec, options.executor == "serial"
    # Only what is done one by one has a pace that tells the time left.
    ahead = passes_of_all(selection, plan, [task.work for task in tasks]) if alone else None
    with progress_bar("run", title, len(tasks), ahead=ahead) as bar:

        def do(work: Work, out: Path) -> Failures:
            bar.expect(passes_of(selection, plan, work))
            return doing(work, out)

        doing = Doing(selection, plan)
        # Closed at once when this ends, however it ends: no worker must outlive it.
        with closing(execute(do if alone else doing, tasks, means_of(selection))) as finished:
            for done in finished:
                _note(done, plan, outcome)
                bar.advance()


def means_of(selection: Selection) -> Means:
    """Return what the options say of workers, complete."""
    options = selection.options
    return Means(
        out=selection.layout.out,
        workers=options.workers,
        threads=threads_of(options),
        cuda=choose_device(options.device).type == "cuda",
        address=options.address,
        shared=options.shared,
    )


def _note(done: Done, plan: Plan, outcome: Outcome) -> None:
    """Keep what failed; one model that can't be trained must not cost the others' results.

    Raises:
        XaibenchError: nothing can be stored, or the only model of the plan failed.
    """
    job = done.task.work.job
    if done.error is None:
        outcome.failures |= {f"{what} on {job.title}": why for what, why in done.answer.items()}
        return
    if isinstance(done.error, SkippedError):
        return
    if isinstance(done.error, StorageError) or (
        isinstance(done.error, XaibenchError) and len(plan.jobs) == 1
    ):
        raise done.error
    reason = reason_of(done.error)
    _log.error("%s failed: %s", done.task.key, reason)
    _log.debug("traceback of %s", done.task.key, exc_info=done.error)
    outcome.failures[job.title] = reason
