"""Planning a study's runs, doing them, and writing what they came to."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xaibench.core.annotation import read_effort
from xaibench.core.errors import XaibenchError
from xaibench.core.logs import logged_to
from xaibench.core.progress import progress_bar
from xaibench.core.store import folder_name
from xaibench.core.suggest import did_you_mean
from xaibench.report.study import write_study
from xaibench.results.study_records import About
from xaibench.running.describe_plan import describe_plan
from xaibench.running.estimate import estimate_seconds, passes_of_all
from xaibench.running.locks import settled
from xaibench.running.plan import Plan, make_plan
from xaibench.running.run import run_plan
from xaibench.running.tasks import tasks_of
from xaibench.setup.option_values import flag
from xaibench.setup.selection import Selection, select
from xaibench.studies import dataset_size, filters, loss, mask_fraction, recipe, roar, supervision
from xaibench.studies.design import Design, Point, Study

_log = logging.getLogger(__name__)
STUDIES: Mapping[str, Study] = {
    module.STUDY.name: module.STUDY
    for module in (mask_fraction, supervision, dataset_size, loss, filters, recipe, roar)
}
# What a study may choose from, and of which its points name a part.
_CHOSEN = {"models", "methods"}


PlannedRun = tuple[Point, Selection, Plan]


@dataclass(frozen=True)
class Planned:
    """A study whose runs are planned, so that a wrong option is told before any work.

    Of those ``later`` it plans one, on the dataset that their data will be made of.
    """

    study: Study
    design: Design
    runs: Sequence[PlannedRun]
    out: Path
    seconds: Mapping[str, float] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    later: PlannedRun | None = None


@dataclass
class StudyOutcome:
    """What a study came to: its answers, and the runs and cells that failed."""

    out: Path
    answers: list[str] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)


def plan_study(
    name: str,
    values: Sequence[str],
    given: Mapping[str, Any],
    effort: str = "",
    *,
    timed: bool = False,
) -> Planned:
    """Plan all runs of a study.

    Args:
        name: of the study.
        values: levels of what it sweeps; empty for its own.
        given: run options that all its runs share.
        effort: seconds for units of annotation, of the study of supervision.
        timed: a pass of each network is timed, as `estimate` needs it.

    Raises:
        XaibenchError: there is no such study, an option is wrong, or there is nothing to compare.
    """
    study = _find(name)
    if effort and study is not supervision.STUDY:
        raise XaibenchError(f"--effort: study {name} asks for no annotation; leave it out.")
    seconds = read_effort(effort) if study is supervision.STUDY else None
    shared = {**study.defaults, **given}
    whole = select(shared)
    out = Path(given.get("out") or f"results/study-{name}-{folder_name(whole.dataset_spec)}")
    whole.place_in(out)
    design = study.design(whole, values)
    swept = {option for point in design.points for option in point.changes} - _CHOSEN
    for option in sorted(swept & set(given)):
        raise XaibenchError(f"{flag(option)}: study {name} sweeps it; choose --values instead.")
    if len(design.arms) < 2:  # noqa: PLR2004
        raise XaibenchError(f"--values {','.join(values)}: name two at least, to be compared.")
    like_later = [
        Point(point.name, {**point.changes, "dataset": whole.options.dataset})
        for point in design.later[:1]
    ]
    runs, later = (
        [_plan_run(name, point, shared, out, timed=timed) for point in points]
        for points in (design.points, like_later)
    )
    return Planned(study, design, runs, out, seconds, shared, later[0] if later else None)


def _plan_run(
    study: str, point: Point, shared: Mapping[str, Any], out: Path, *, timed: bool = False
) -> PlannedRun:
    try:
        selection = select({**shared, **point.changes, "out": str(out / point.name)})
        return point, selection, make_plan(selection, timed=timed)
    except XaibenchError as error:
        raise XaibenchError(f"study {study}, {point.name}: {error}") from error


def describe_study(planned: Planned) -> list[str]:
    """Return all plans in lines for people."""
    lines = [planned.study.question]
    for point, selection, plan in planned.runs:
        lines += [f"{point.name}:", *(f"  {line}" for line in describe_plan(selection, plan))]
    if planned.later:
        point, selection, plan = planned.later
        count = len(planned.design.later)
        lines.append(f"then {count} runs on data made of these results; {point.name}, for example:")
        lines += [f"  {line}" for line in describe_plan(selection, plan)]
    return lines


def estimate(planned: Planned) -> float:
    """Estimate the seconds that all runs take."""
    later = [planned.later] * len(planned.design.later) if planned.later else []
    return sum(estimate_seconds(selection, plan) for _, selection, plan in [*planned.runs, *later])


def run_study(planned: Planned, command: str) -> StudyOutcome:
    """Do all runs and write the table; what fails costs itself only, and is tried next time.

    Raises:
        XaibenchError: too little succeeded to compare anything.
    """
    outcome, study = StudyOutcome(planned.out), planned.study
    with logged_to(planned.out, command):
        broken = _do_runs(study.name, planned.runs, command, outcome)
        if planned.design.prepare and not broken:
            planned.design.prepare()
            broken = _do_later(planned, command, outcome)
    outcome.failures |= broken
    # What an earlier study left in the folder of a broken run may come from other options.
    arms = [arm for arm in planned.design.arms if arm.point not in broken]
    if len(arms) < 2:  # noqa: PLR2004
        name, why = next(iter(broken.items()))
        raise XaibenchError(f"study {study.name}: nothing is left to compare ({name}: {why}).")
    about = About(
        study.name,
        study.question,
        command,
        study.ordered,
        outcome.failures,
        planned.seconds,
        study.with_loss,
    )
    with settled(planned.out):
        outcome.answers = write_study(planned.out, arms, about)
    return outcome


def _do_later(planned: Planned, command: str, outcome: StudyOutcome) -> dict[str, str]:
    """Plan and do the runs whose data are there now; return why some came to nothing."""
    broken: dict[str, str] = {}
    runs = []
    for point in planned.design.later:
        try:
            runs.append(_plan_run(planned.study.name, point, planned.options, planned.out))
        except XaibenchError as error:
            broken[point.name] = str(error)
    return broken | _do_runs(planned.study.name, runs, command, outcome)


def _do_runs(
    study: str, runs: Sequence[PlannedRun], command: str, outcome: StudyOutcome
) -> dict[str, str]:
    """Do runs; return why some came to nothing."""
    broken: dict[str, str] = {}
    ahead: Counter[str] = Counter()
    for _, selection, plan in runs:
        steps = [task.payload for task in tasks_of(selection, plan.jobs)]
        ahead.update(passes_of_all(selection, plan, steps))
    with progress_bar("study", study, len(runs), ahead=ahead) as bar:
        for number, (point, selection, plan) in enumerate(runs, 1):
            _log.info("point %d of %d: %s", number, len(runs), point.name)
            try:
                failed = run_plan(selection, plan, command).failures
            except XaibenchError as error:
                _log.error("%s failed: %s", point.name, error)
                broken[point.name] = str(error)
            else:
                outcome.failures |= {f"{point.name}, {what}": why for what, why in failed.items()}
            bar.advance()
    return broken


def _find(name: str) -> Study:
    if name not in STUDIES:
        raise XaibenchError(
            f"there is no study '{name}'{did_you_mean(name, STUDIES)}; choose one of "
            f"{', '.join(STUDIES)}."
        )
    return STUDIES[name]
