"""From a selection to jobs: what is to be done, what is done, what can't be done and why."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from xaibench.audit.known import recall_pairs
from xaibench.audit.leaks import find_leaks, say_unaudited
from xaibench.core.errors import XaibenchError
from xaibench.core.plugin import Bound
from xaibench.core.splits import Split
from xaibench.explaining.analyze import analysis_failure, is_analyzed, why_no_analysis
from xaibench.explaining.dependence import is_unmeasured
from xaibench.explaining.trial import try_metric
from xaibench.results.records import Skip
from xaibench.results.work_records import CellRecord, ModelRecord
from xaibench.running.pass_time import time_pass
from xaibench.running.why_not import count_places, why_no_layer, why_no_map, why_no_score
from xaibench.setup.cells import CellState, Ledger
from xaibench.setup.devices import check_device
from xaibench.setup.file_check import check_files
from xaibench.setup.jobs import Job
from xaibench.setup.model_warnings import doubts_about, notes_on_size
from xaibench.setup.selection import Selection
from xaibench.setup.several import check_target, notes_on_several, why_one_label


@dataclass
class Plan:
    """Everything a run is going to do."""

    metrics: list[Bound]
    jobs: list[Job] = field(default_factory=list)
    skips: list[Skip] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    cells: int = 0
    done: int = 0
    analyses: int = 0
    analyzed: int = 0
    trainings: list[tuple[int, str, int]] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    changed: dict[str, str] = field(default_factory=dict)
    """What is stored but counts no more, and why."""
    places: dict[str, int] = field(default_factory=dict)
    """How many numbers a CAM of each model with jobs has."""
    pass_seconds: dict[str, float] = field(default_factory=dict)
    """How long a pass of each model with jobs takes, for an image; of a plan that is timed."""

    def trains(self, job: Job) -> bool:
        """Whether a job's model has to be trained; one that comes trained hasn't."""
        return (job.fold, job.model, job.seed) in self.trainings


def make_plan(selection: Selection, *, timed: bool = False) -> Plan:
    """List all cells, and group the missing ones into jobs.

    Where it is ``timed`` a pass of each model with jobs is, too, while its network is there.

    Raises:
        XaibenchError: nothing at all is left to compute with this selection.
    """
    plan = Plan(metrics=[])
    check_device(selection.options)
    check_target(selection.options.target, selection.dataset, judged=selection.judge is not None)
    plan.notes += notes_on_several(selection.options, selection.dataset)
    for metric in selection.metrics:
        try_metric(metric)
    plan.metrics += _served(selection.metrics, partial(why_no_score, selection), plan)
    splits = {fold: selection.split(fold) for fold in selection.folds}
    plan.notes += selection.dataset.notes
    plan.warnings += check_files(selection.dataset, selection.options)
    samples, near = selection.dataset.samples, recall_pairs(selection.dataset.samples)
    plan.warnings += find_leaks(samples, splits, near or (), drawn=selection.is_drawn)
    plan.warnings += _find_unplaced(selection, splits)
    plan.warnings += _find_unlearned(selection, splits)
    plan.notes += say_unaudited(selection.dataset, selection.dataset_spec, near)
    said: list[Skip] = []
    for model in selection.models:
        said += _plan_model(selection, model, plan)
        if timed and any(job.model == model.spec for job in plan.jobs):
            plan.pass_seconds[model.spec] = time_pass(selection, selection.prototype(model))
    selection.forget_prototype()
    if plan.trainings and not selection.options.train:
        raise XaibenchError(
            f"--no-train: {plan.trainings[0][1]} has never been trained; give its weights as "
            "--checkpoint FILE, or as MODEL[checkpoint=FILE], or let it be trained."
        )
    _refuse_if_none_is_served(selection, plan)
    plan.skips += said
    if not (plan.analyses or (plan.cells and plan.metrics) or _trains_only(selection)):
        reasons = "; ".join(f"{skip.what}: {skip.reason}" for skip in plan.skips)
        raise XaibenchError(f"nothing is left to compute ({reasons}).")
    return plan


def _trains_only(selection: Selection) -> bool:
    """Whether classifiers are all that a run is asked for."""
    asked = [*selection.methods, *selection.analyses]
    return not asked and any(selection.about(model).classifies for model in selection.models)


def _plan_model(selection: Selection, model: Bound, plan: Plan) -> list[Skip]:
    """Plan a model's cells and analyses; return what methods have said they can't explain."""
    prototype = selection.prototype(model)
    drawn = selection.is_drawn
    plan.warnings += doubts_about(model, prototype, selection.options.weights, drawn=drawn)
    plan.notes += notes_on_size(model, selection.options.weights, selection.options.image_size)
    where = f" on {model.spec}"
    methods = _served(selection.methods, partial(why_one_label, selection.dataset), plan, where)
    methods = _served(methods, partial(why_no_layer, selection, prototype), plan, where)
    methods = _served(methods, partial(why_no_map, selection, model, prototype), plan, where)
    why_not = partial(why_no_analysis, selection, prototype)
    analyses = _served(selection.analyses, why_not, plan, where)
    if not prototype.classifies and not analyses and not any(map(_is_named, methods)):
        # Its training would serve nothing but controls, which other models have as well.
        plan.skips.append(Skip(model.spec, "no method and no analysis asks for what it gives"))
        return []
    said: list[Skip] = []
    for fold in selection.folds:
        for seed in selection.options.seeds:
            ledger = Ledger(selection, fold, model, seed)
            trained = ledger.model_is_trained()
            states = [ledger.cell_state(method) for method in methods]
            retry = selection.options.retry_failed
            missing = [
                s.method
                for s in states
                if not trained or s.missing_metrics(plan.metrics, retry=retry)
            ]
            plan.changed |= _find_changed(ledger, [s for s in states if s.method in missing])
            failed: dict[str, str] = {}
            lost: dict[str, str] = {}
            if trained and not retry:
                said += skips_of(ledger, states)
                for state in states:
                    failed |= state.failures(plan.metrics)
                lost = {a.spec: why for a in analyses if (why := analysis_failure(ledger, a))}
            for what, why in (failed | lost).items():
                plan.failed[f"{what} on {ledger.title}"] = why
            analyzed = [a for a in analyses if trained and is_analyzed(ledger, a)]
            left = tuple(a.spec for a in analyses if a not in analyzed and a.spec not in lost)
            plan.cells += len(methods)
            plan.analyses += len(analyses)
            plan.analyzed += len(analyzed)
            plan.done += sum(
                s.method not in missing and not s.failures(plan.metrics) for s in states
            )
            if not trained and not prototype.trained:
                plan.trainings.append((fold, model.spec, seed))
            asked = states if prototype.classifies else []
            again = tuple(state.method.spec for state in asked if is_unmeasured(state))
            if missing or left or again or not trained:
                specs = tuple(method.spec for method in missing)
                plan.jobs.append(Job(fold, model.spec, seed, specs, left, again))
                if model.spec not in plan.places:
                    plan.places[model.spec] = count_places(selection, prototype)
    return said


def skips_of(ledger: Ledger, states: Sequence[CellState]) -> list[Skip]:
    """Return which methods have said that they can't explain a trained model, and why."""
    return [Skip(f"{s.method.spec} on {ledger.title}", s.skip) for s in states if s.skip]


def _find_changed(ledger: Ledger, states: Sequence[CellState]) -> dict[str, str]:
    """Say why a stored model counts no more, or where it does, which of its cells don't."""
    if why := ledger.changed or _find_outdated(ledger, ledger.known):
        return {ledger.title: why}
    found = {s.method.spec: s.changed or _find_outdated(ledger, s.known) for s in states}
    return {f"{spec} on {ledger.title}": why for spec, why in found.items() if why}


def _find_outdated(ledger: Ledger, known: ModelRecord | CellRecord) -> str:
    there = known != type(known)()
    return "other versions have made it" if there and not ledger.accepts(known) else ""


def _is_named(method: Bound) -> bool:
    """Whether a method is no control, so that a user has asked for it."""
    return bool(method.plugin.traits.family != "control")


def _served(
    asked: Iterable[Bound], why_not: Callable[[Bound], str | None], plan: Plan, where: str = ""
) -> list[Bound]:
    """Return what can be done of what was asked for; the plan skips the rest."""
    served = []
    for each in asked:
        if reason := why_not(each):
            plan.skips.append(Skip(f"{each.spec}{where}", reason))
        else:
            served.append(each)
    return served


def _find_unplaced(selection: Selection, splits: Mapping[int, Split]) -> list[str]:
    """Tell of images that a stored split doesn't name: the data have grown since."""
    left_out = selection.dataset.apart or selection.options.train_fraction < 1
    if selection.split_name == selection.options.split or left_out:
        return []
    placed = min(len([*split.train, *split.validation, *split.test]) for split in splits.values())
    left = len(selection.dataset.samples) - placed
    return (
        [f"--split {selection.options.split} names no part for {left} images: they are left out"]
        if left
        else []
    )


def _find_unlearned(selection: Selection, splits: Mapping[int, Split]) -> list[str]:
    """Tell of classes that no image of a training part shows, where an image may show several."""
    if not selection.dataset.several_labels:
        return []
    missing = [
        name
        for at, name in enumerate(selection.dataset.classes)
        if not all(
            any(sample.class_labels[at].label == 1 for sample in split.train)
            for split in splits.values()
        )
    ]
    where = " in some fold" if len(splits) > 1 else ""
    said = f"no image to train on shows {', '.join(missing)}{where}: networks can't learn that"
    return [said] if missing else []


def _refuse_if_none_is_served(selection: Selection, plan: Plan) -> None:
    """Refuse a run none of whose named methods any of the models can serve."""
    named = [m.spec for m in selection.methods if _is_named(m)]
    reasons = {
        spec: [skip.reason for skip in plan.skips if skip.what.startswith(f"{spec} on ")]
        for spec in named
    }
    if named and all(len(found) == len(selection.models) for found in reasons.values()):
        said = "; ".join(reason for found in reasons.values() for reason in found)
        raise XaibenchError(
            f"method {', '.join(named)} runs on none of the models ({said}); add a model that "
            "serves it, such as saliency_net for spn."
        )
