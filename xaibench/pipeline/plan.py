"""From a selection to jobs: what is to be done, what is done, what can't be done and why."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch

from xaibench.core.contract import CLASSIFIER_WORDS, JUDGED_WORDS
from xaibench.core.errors import XaibenchError
from xaibench.core.model import Batch, Model
from xaibench.core.passes.device import choose_device, mixed_precision, place_images, place_model
from xaibench.core.plugin import Bound
from xaibench.core.splits import OFFICIAL
from xaibench.pipeline.analyse import is_analysed, why_no_analysis
from xaibench.pipeline.building import missing_word
from xaibench.pipeline.cells import Job, Ledger
from xaibench.pipeline.leaks import find_leaks
from xaibench.pipeline.rehearsal import rehearse
from xaibench.pipeline.selection import Selection
from xaibench.pipeline.tuning import TUNED

_NEEDS_MASKS = frozenset({"masks", "mean_mask"})


@dataclass(frozen=True)
class Skip:
    """A cell or a metric that can't be, and the reason."""

    what: str
    reason: str


@dataclass
class Plan:
    """Everything a run is going to do."""

    metrics: list[Bound]
    jobs: list[Job] = field(default_factory=list)
    skips: list[Skip] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    cells: int = 0
    done: int = 0
    analyses: int = 0
    trainings: list[tuple[int, str, int]] = field(default_factory=list)


def make_plan(selection: Selection) -> Plan:
    """List all cells, and group the missing ones into jobs.

    Raises:
        XaibenchError: nothing at all is left to compute with this selection.
    """
    choose_device(selection.options.device)  # a device that isn't there is told at once
    if selection.options.target == "predicted" and selection.judge is None:
        raise XaibenchError(
            "--target predicted: no model of the run classifies; add one, or name one with --judge."
        )
    plan = Plan(metrics=[])
    for metric in selection.metrics:
        rehearse(metric)
        reason = _why_no_score(selection, metric)
        if reason:
            plan.skips.append(Skip(metric.spec, reason))
        else:
            plan.metrics.append(metric)
    splits = {fold: selection.split(fold) for fold in selection.folds}
    published = selection.options.split == OFFICIAL
    plan.warnings += find_leaks(selection.dataset.samples, splits, published=published)
    for model in selection.models:
        _plan_model(selection, model, plan)
    _refuse_if_none_is_served(selection, plan)
    if not plan.analyses and not (plan.cells and plan.metrics):
        reasons = "; ".join(f"{skip.what}: {skip.reason}" for skip in plan.skips)
        raise XaibenchError(f"nothing is left to compute ({reasons}).")
    return plan


def _plan_model(selection: Selection, model: Bound, plan: Plan) -> None:
    prototype = selection.build(model, seed=0, weights="none")
    plan.warnings += _find_idle_noise(selection, model, prototype)
    methods: list[Bound] = []
    for method in selection.methods:
        reason = _why_not(selection, method, model, prototype)
        if reason:
            plan.skips.append(Skip(f"{method.spec} on {model.spec}", reason))
        else:
            methods.append(method)
    analyses = _plan_analyses(selection, model, prototype, plan)
    for fold in selection.folds:
        for seed in selection.options.seeds:
            ledger = Ledger(selection, fold, model, seed)
            trained = ledger.model_is_trained()
            states = [ledger.cell_state(method) for method in methods]
            missing = [s.method for s in states if not trained or s.missing_metrics(plan.metrics)]
            analysed = [a for a in analyses if trained and is_analysed(ledger, a)]
            left = tuple(a.spec for a in analyses if a not in analysed)
            plan.cells += len(methods)
            plan.analyses += len(analyses)
            plan.done += len(methods) - len(missing)
            if not trained and not prototype.trained:
                plan.trainings.append((fold, model.spec, seed))
            if missing or left or not trained:
                specs = tuple(method.spec for method in missing)
                plan.jobs.append(Job(fold, model.spec, seed, specs, left))


def _find_idle_noise(selection: Selection, model: Bound, prototype: Model) -> list[str]:
    """Tell of a frozen network that has learned nothing: that may be meant, as a control."""
    takes_weights = "weights" in model.plugin.signature.words
    frozen = any(not parameter.requires_grad for parameter in prototype.parameters())
    if not (takes_weights and frozen and selection.options.weights == "none"):
        return []
    return [f"{model.spec}: under --weights none what is frozen are random numbers; give --weights "
            "imagenet or a state dict's file."]  # fmt: skip


def _plan_analyses(selection: Selection, model: Bound, prototype: Model, plan: Plan) -> list[Bound]:
    """Return the analyses that a model serves."""
    served = []
    for analysis in selection.analyses:
        reason = why_no_analysis(selection, analysis, prototype)
        if reason:
            plan.skips.append(Skip(f"{analysis.spec} on {model.spec}", reason))
        else:
            served.append(analysis)
    return served


def _why_no_score(selection: Selection, metric: Bound) -> str | None:
    words = metric.plugin.signature.words
    if "masks" in words and not selection.dataset.annotated:
        return f"{selection.dataset_spec} has no masks"
    if JUDGED_WORDS & set(words) and selection.judge is None:
        return "no model of the run classifies; name one that judges with --judge"
    splits = [selection.split(fold) for fold in selection.folds]
    if TUNED in words and not all(split.seen_in(split.validation) for split in splits):
        return "no validation mask may be seen under this --mask-fraction"
    return None


def _why_not(selection: Selection, method: Bound, model: Bound, prototype: Model) -> str | None:
    words = set(method.plugin.signature.words)
    if words & _NEEDS_MASKS and not selection.dataset.annotated:
        return f"{selection.dataset_spec} has no masks"
    if "mean_mask" in words and not any(selection.split(f).seen for f in selection.folds):
        return "no training mask may be seen under this --mask-fraction"
    word = missing_word(method, prototype, selection.blank)
    if word in CLASSIFIER_WORDS and not prototype.classifies:
        return f"{model.plugin.name} doesn't classify"
    return f"{model.plugin.name} has no {word}" if word else None


def _refuse_if_none_is_served(selection: Selection, plan: Plan) -> None:
    """Refuse a run none of whose named methods any of the models can serve."""
    named = [m.spec for m in selection.methods if m.plugin.traits.family != "control"]
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


def estimate_seconds(selection: Selection, plan: Plan) -> float:
    """Estimate the run's time from one training step and one pass of each model, measured now."""
    device = choose_device(selection.options.device)
    total = 0.0
    for model in selection.models:
        mine = [job for job in plan.jobs if job.model == model.spec]
        if not mine:
            continue
        step, forward = _time_model(selection, selection.build(model, 0, weights="none"), device)
        for job in mine:
            split = selection.split(job.fold)
            if (job.fold, job.model, job.seed) in plan.trainings:
                per_epoch = len(split.train) * step + 2 * len(split.validation) * forward
                total += selection.options.epochs * per_epoch
            # A pass to record, and one to score, for each method.
            total += len(split.test) * forward * (2 + len(job.methods))
    return total


def _time_model(selection: Selection, model: Model, device: torch.device) -> tuple[float, float]:
    """Return seconds per image of a training step and of a forward pass."""
    size, count = selection.options.image_size, selection.options.train_batch_size
    model = place_model(model, device)
    images = place_images(torch.randint(256, (count, 3, size, size), dtype=torch.uint8), device)
    labels = torch.zeros(count, dtype=torch.long, device=device)
    masks = torch.ones(count, size, size, dtype=torch.int8, device=device)
    batch = Batch(images, labels, masks, labels == 0, count, count)

    def step() -> None:
        with mixed_precision(device):
            torch.autograd.backward(model.loss(batch)["loss"])

    def forward() -> None:
        with torch.inference_mode():
            model.outputs(images)

    return _seconds(step, device) / count, _seconds(forward, device) / count


def _seconds(work: Callable[[], None], device: torch.device) -> float:
    times: list[float] = []
    for _ in range(3):  # the first call warms up
        started = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - started)
    return min(times)


def describe_plan(selection: Selection, plan: Plan) -> Sequence[str]:
    """Return the plan in lines for people."""
    options = selection.options
    counts = selection.dataset.samples
    split = selection.split(0)
    parts = f"{len(split.train)} train, {len(split.validation)} validation, {len(split.test)} test"
    grouped = len({s.group for s in counts if s.group})
    lines = [
        f"dataset {selection.dataset_spec}: {len(counts)} images of "
        f"{len(selection.dataset.classes)} classes ({', '.join(selection.dataset.classes)})",
        f"split {options.split}: {parts}; {grouped} groups kept together; masks seen of "
        f"{len(split.seen)} training and validation images",
        f"cells: {plan.cells}, of which {plan.done} done; models to train: {len(plan.trainings)}",
    ]
    if plan.analyses:
        left = sum(len(job.analyses) for job in plan.jobs)
        lines.append(f"analyses: {plan.analyses}, of which {plan.analyses - left} done")
    for job in plan.jobs:
        work = ", ".join([*job.methods, *job.analyses]) or "train"
        lines.append(f"  {job.model}, fold {job.fold}, seed {job.seed}: {work}")
    lines += [f"  skipped: {skip.what}: {skip.reason}" for skip in plan.skips]
    lines += [f"  warning: {warning}" for warning in plan.warnings]
    return lines
