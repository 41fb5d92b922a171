"""The whole run: all jobs of a plan, then the tables."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from xaibench.core.errors import XaibenchError
from xaibench.core.store import read_json, remove_leftovers, write_json
from xaibench.pipeline.analyse import check_same_run
from xaibench.pipeline.describe import describe_run, save_split
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
    """Do all jobs and gather what they and earlier runs left.

    A plan of analyses alone, in the folder of a run, leaves that run's tables as they are.

    Args:
        selection: what the run is about.
        plan: made for it.
        command: what the user wrote, to repeat the run.
        suite: name, profile and part of the suite that it belongs to.
    """
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
    for number, job in enumerate(plan.jobs, 1):
        _log.info("job %d of %d: %s, fold %d, seed %d", number, len(plan.jobs), job.model,
                  job.fold, job.seed)  # fmt: skip
        place = f"{job.model}, fold {job.fold}, seed {job.seed}"
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
    if not alone:
        gather(selection, plan)
    return outcome
