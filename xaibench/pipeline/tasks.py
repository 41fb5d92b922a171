"""A plan as tasks for an executor: each names what must be done before it."""

from collections.abc import Iterator, Sequence

from xaibench.core.layout import Layout
from xaibench.executors.schedule import Task
from xaibench.pipeline.cells import Ledger
from xaibench.pipeline.jobs import Job, Step, Work, steps_of
from xaibench.pipeline.plan import Plan
from xaibench.pipeline.selection import Selection


def tasks_of(selection: Selection, plan: Plan) -> list[Task]:
    """Return all tasks of a plan, in an order in which they can be done one by one."""
    judges = {job: _judge_of(selection, job) for job in plan.jobs}
    planned = {_place(job) for job in plan.jobs}
    outside = {judge for judge in judges.values() if judge and _place(judge) not in planned}
    jobs = [*sorted(outside, key=lambda judge: judge.title), *plan.jobs]
    # Those that classify come first, as they may judge the others.
    jobs.sort(key=lambda job: judges.get(job) is not None)
    return [task for job in jobs for task in _tasks_of(selection, job, judges.get(job))]


def _tasks_of(selection: Selection, job: Job, judge: Job | None) -> Iterator[Task]:
    works = list(steps_of(job, len(selection.split(job.fold).test), selection.options.part_size))
    trained = {Work(Step.TRAIN, each).key for each in (job, judge) if each is not None}
    explained = {work.key for work in works if work.step is Step.EXPLAIN}
    folders = _folders(selection, [job] if judge is None else [job, judge])
    for work in works:
        needed = trained - {work.key}
        if work.step is Step.JOIN:
            needed = needed | explained
        yield Task(work.key, work, frozenset(needed), folders, local=work.step is Step.JOIN)


def _judge_of(selection: Selection, job: Job) -> Job | None:
    """Return the model that judges a job's maps, where that is another one."""
    ledger = Ledger(selection, job.fold, selection.model(job.model), job.seed)
    if ledger.judge in (None, ledger) or not job.methods:
        return None
    return Job(job.fold, ledger.judge.model.spec, job.seed)


def _place(job: Job) -> tuple[int, str, int]:
    return job.fold, job.model, job.seed


def _folders(selection: Selection, jobs: Sequence[Job]) -> tuple[str, ...]:
    """Return what a worker reads that doesn't see the run's folder."""
    found: list[str] = []
    for job in jobs:
        ledger = Ledger(selection, job.fold, selection.model(job.model), job.seed)
        layout: Layout = selection.layout
        folders = [ledger.folder, layout.observation_folder(ledger.place)]
        folders += [layout.cell_folder(ledger.place, spec) for spec in job.methods]
        found += [folder.relative_to(layout.out).as_posix() for folder in folders]
    return tuple(found)
