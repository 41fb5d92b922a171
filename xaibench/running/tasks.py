"""A plan as tasks for an executor: each names what must be done before it."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from xaibench.core.registry import bind
from xaibench.executors.schedule import Task
from xaibench.explaining.parts import PartState, failure_of, threshold_note
from xaibench.results.folder import (
    CELL_FILE,
    CHECKPOINT_FILE,
    FIT_FILE,
    FITTED_FILE,
    SCORES_FILE,
)
from xaibench.setup.cells import CellState, Ledger, ledger_of
from xaibench.setup.jobs import Job, JobStep, Stage, steps_of
from xaibench.setup.selection import Selection


def tasks_of(selection: Selection, jobs: Sequence[Job]) -> list[Task]:
    """Return all tasks of some jobs, in an order in which they can be done one by one."""
    judges = {job: _judge_of(selection, job) for job in jobs}
    planned = {_place(job) for job in jobs if not job.alone}
    outside = {judge for judge in judges.values() if judge and _place(judge) not in planned}
    ordered = [*sorted(outside, key=lambda judge: judge.title), *jobs]
    # Those that classify come first, as they may judge the others.
    ordered.sort(key=lambda job: judges.get(job) is not None)
    return [task for job in ordered for task in _tasks_of(selection, job, judges.get(job))]


def _tasks_of(selection: Selection, job: Job, judge: Job | None) -> Iterator[Task]:
    steps = list(steps_of(job, len(selection.split(job.fold).test), selection.options.part_size))
    models = [job] if judge is None else [job, judge]
    trained = {JobStep(Stage.TRAIN, each).key for each in models}
    explained, joined = (
        {step.key for step in steps if step.stage is stage} for stage in (Stage.EXPLAIN, Stage.JOIN)
    )
    ledgers = [ledger_of(selection, each) for each in models]
    states = [ledgers[0].cell_state(bind("method", spec)) for spec in job.methods]
    for step in steps:
        needed = trained - {step.key}
        if step.stage is Stage.JOIN:
            needed = needed | explained
        elif step.stage is Stage.DEPENDENCE:
            needed = needed | joined
        places: tuple[str, ...] = ()
        if not selection.options.shared:
            reads = [*(ledger.folder for ledger in ledgers), *_read_by(step, ledgers[0], states)]
            places = tuple(path.relative_to(selection.layout.out).as_posix() for path in reads)
        yield Task(step.key, step, frozenset(needed), places, local=step.stage is Stage.JOIN)


def _read_by(step: JobStep, ledger: Ledger, states: Sequence[CellState]) -> Iterator[Path]:
    """Yield what a step reads beside models; parts must not travel with each other."""
    if step.stage is Stage.ANALYZE:
        yield ledger.selection.layout.observation_folder(ledger.place)
    if step.stage is Stage.DEPENDENCE:
        for spec in step.job.dependence:
            yield ledger.cell_folder(bind("method", spec)) / CELL_FILE
    for state in states if step.stage in (Stage.TRAIN, Stage.EXPLAIN) else ():
        folder = ledger.cell_folder(state.method)
        yield from (folder / CELL_FILE, folder / SCORES_FILE)
        yield from (note(state).path for note in (failure_of, threshold_note))
        if state.method.plugin.fit:
            yield from (folder / name for name in (FIT_FILE, FITTED_FILE, CHECKPOINT_FILE))
        if step.stage is Stage.EXPLAIN:
            part = PartState(state, step.part)
            yield part.folder
            yield from (folder / name for name in {step.part.maps, *part.maps})


def _judge_of(selection: Selection, job: Job) -> Job | None:
    """Return the model that judges a job's maps, where that is another one."""
    ledger = ledger_of(selection, job)
    if ledger.judge in (None, ledger) or not job.methods:
        return None
    return Job(job.fold, ledger.judge.model.spec, job.seed)


def _place(job: Job) -> tuple[int, str, int]:
    return job.fold, job.model, job.seed
