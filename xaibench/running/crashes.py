"""Worker processes that crashed: which method did it, and what becomes of the others."""

from collections.abc import Iterable
from dataclasses import replace

from xaibench.core.registry import bind
from xaibench.explaining.parts import failure_of
from xaibench.setup.cells import ledger_of
from xaibench.setup.jobs import Job, JobStep, Stage
from xaibench.setup.selection import Selection

_AFTER = (Stage.ANALYZE, Stage.DEPENDENCE)


def happened_in_methods(selection: Selection, step: JobStep) -> bool:
    """Whether a worker that died was making maps, and did no training and nothing afterwards."""
    trained = step.stage is not Stage.TRAIN or ledger_of(selection, step.job).model_is_trained()
    return bool(step.job.methods) and step.stage not in _AFTER and trained


def one_method_each(jobs: Iterable[Job]) -> list[Job]:
    """Return jobs that ask each method alone, as one of them kills whoever asks it."""
    return [
        replace(
            job,
            methods=(spec,),
            analyses=(),
            dependence=tuple(each for each in job.dependence if each == spec),
            alone=True,
        )
        for job in dict.fromkeys(jobs)
        for spec in job.methods
    ]


def record_crash(selection: Selection, job: Job, error: str) -> None:
    """Record that a job's only method kills its workers: what is joined then is its failure."""
    (spec,) = job.methods
    failure_of(ledger_of(selection, job).cell_state(bind("method", spec))).record(error)
