"""The whole run: all jobs of a plan, then the tables."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from xaibench.core.errors import XaibenchError
from xaibench.core.logs import logged_to
from xaibench.core.progress import progress_bar
from xaibench.core.store import read_json, remove_leftovers, write_json
from xaibench.pipeline.analyse import check_same_run
from xaibench.pipeline.describe import describe_run, save_split
from xaibench.pipeline.estimate import passes_of, passes_of_all
from xaibench.pipeline.gather import gather
from xaibench.pipeline.plan import Plan
from xaibench.pipeline.selection import Selection
from xaibench.pipeline.work import do_job

_log = logging.getLogger(__name__)


@dataclass
class Outcome:
    """What a run came to."""

    out: Path
    failures: dict[str, str] = field(default_factory=dict)


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
    with logged_to(selection.layout.out, command):
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
    splits = dict(save_split(selection, fold) for fold in selection.folds)
    about = describe_run(selection, plan, command, splits)
    if not alone:
        write_json(out / "run.json", about | ({"suite": dict(suite)} if suite else {}))
    _do_jobs(selection, plan, outcome)
    if not alone:
        gather(selection, plan)
    return outcome


def _do_jobs(selection: Selection, plan: Plan, outcome: Outcome) -> None:
    title, ahead = selection.dataset_spec, passes_of_all(selection, plan)
    with progress_bar("run", title, len(plan.jobs), ahead=ahead) as bar:
        for number, job in enumerate(plan.jobs, 1):
            place = f"{job.model}, fold {job.fold}, seed {job.seed}"
            _log.info("job %d of %d: %s", number, len(plan.jobs), place)
            bar.expect(passes_of(selection, plan, job))
            try:
                failed = do_job(selection, job, plan.metrics)
            except XaibenchError as error:
                # One model that can't be trained must not cost the others' results.
                if len(plan.jobs) == 1:
                    raise
                _log.error("%s failed: %s", place, error)
                outcome.failures[place] = str(error)
            else:
                outcome.failures |= {f"{method} on {place}": why for method, why in failed.items()}
            bar.advance()
