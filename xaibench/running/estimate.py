"""How long a plan will take, from a look at the machine."""

from collections import Counter
from collections.abc import Iterable, Mapping

from xaibench.explaining.dependence import images_of
from xaibench.running.plan import Plan
from xaibench.setup.cells import ledger_of
from xaibench.setup.jobs import JobStep, Stage
from xaibench.setup.selection import Selection

_STEP = 3  # passes that a training step takes as long as


def estimate_seconds(selection: Selection, plan: Plan) -> float:
    """Estimate a run's time from the pass of each model that its plan has timed.

    A training step is three. Gradients aren't computed, for they would cost a plan more memory and
    time than all else.
    """
    total = 0.0
    for job in plan.jobs:
        forward, split = plan.pass_seconds[job.model], selection.split(job.fold)
        if plan.trains(job):
            per_epoch = _STEP * len(split.train) + 2 * len(split.validation)
            total += selection.options.epochs * per_epoch * forward
        # A pass to record, and one to score, for each method.
        total += len(split.test) * forward * (2 + len(job.methods))
    return total


def passes_of(selection: Selection, plan: Plan, step: JobStep) -> Mapping[str, float]:
    """Count the passes of an image, by the bars that show them."""
    job, split = step.job, selection.split(step.job.fold)
    if step.stage is Stage.EXPLAIN:
        return {"explain": len(step.part.of(split.test)) * (2 + len(job.methods))}
    if step.stage is Stage.DEPENDENCE:
        images = len(images_of(ledger_of(selection, job)))
        return {"dependence": 3 * images * len(job.dependence)}
    if step.stage is Stage.TRAIN and plan.trains(job):
        per_epoch = _STEP * len(split.train) + len(split.validation)
        return {"train": selection.options.epochs * per_epoch}
    return {}


def passes_of_all(
    selection: Selection, plan: Plan, steps: Iterable[JobStep]
) -> Mapping[str, float]:
    """Count the passes of all steps of a plan."""
    total: Counter[str] = Counter()
    for step in steps:
        total.update(passes_of(selection, plan, step))
    return total
