"""A plan in words."""

from collections import Counter
from collections.abc import Sequence

from xaibench.core.data import Dataset
from xaibench.running.plan import Plan
from xaibench.setup.selection import Selection

_SHOWN = 5


def describe_plan(selection: Selection, plan: Plan) -> Sequence[str]:
    """Return the plan in lines for people."""
    counts = selection.dataset.samples
    split = selection.split(0)
    parts = f"{len(split.train)} train, {len(split.validation)} validation, {len(split.test)} test"
    grouped = len({s.group for s in counts if s.group})
    lines = [
        f"dataset {selection.dataset_spec}: {len(counts)} images of "
        f"{len(selection.dataset.classes)} classes ({', '.join(selection.dataset.classes)})",
        f"split {selection.split_name}: {parts}; {grouped} groups kept together; learned methods "
        f"see the masks of {len(split.seen)} training and validation images",
        f"cells (methods on trained models): {plan.cells}, of which {plan.done} done; "
        f"models to train: {len(plan.trainings)}",
    ]
    if selection.dataset.annotated:
        lines.append(_count_annotated(selection.dataset))
    if plan.analyses:
        lines.append(f"analyses: {plan.analyses}, of which {plan.analyzed} done")
    controls = {m.spec for m in selection.methods if m.plugin.traits.family == "control"}
    for job in plan.jobs:
        first = "train" if plan.trains(job) else "predict"
        again = ["dependence"] if job.dependence else []
        own = [spec for spec in job.methods if spec not in controls]
        others = len(job.methods) - len(own)
        bounds = [f"{others} controls"] if others else []
        work = ", ".join([*own, *bounds, *job.analyses, *again]) or first
        lines.append(f"  {job.model}, fold {job.fold}, seed {job.seed}: {work}")
    lines += [f"  skipped: {skip.what}: {skip.reason}" for skip in plan.skips]
    lines += [f"  made again: {what}: {why}" for what, why in plan.changed.items()]
    lines += [f"  failed before: {what}: {why}" for what, why in plan.failed.items()]
    if plan.failed:
        lines.append("  (--retry-failed tries again what has failed)")
    lines += [f"  warning: {warning}" for warning in plan.warnings]
    lines += [f"  note: {note}" for note in plan.notes]
    return lines


def _count_annotated(dataset: Dataset) -> str:
    """Say how many images have masks or boxes, and in which classes the others are."""
    lacking = Counter(dataset.classes[s.label] for s in dataset.samples if not s.annotated)
    said = ", ".join(f"{name} {count}" for name, count in list(lacking.items())[:_SHOWN])
    more = " ..." if len(lacking) > _SHOWN else ""
    without = f"; without: {said}{more}" if lacking else ""
    count = sum(sample.annotated for sample in dataset.samples)
    return f"masks or boxes: {count} images{without}"
