"""The plan of a comparison: where its variance components come from, and what designs find."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from xaibench.core.errors import XaibenchError
from xaibench.core.markdown import markdown_table
from xaibench.core.registry import bind
from xaibench.core.roots import open_dataset
from xaibench.report.facts.material import read_material
from xaibench.report.facts.section import Section, sections
from xaibench.report.facts.traits import primary_metric
from xaibench.report.judging.planning import (
    USUAL,
    PlannedDesign,
    designs,
    median_components,
)
from xaibench.report.numbers import number
from xaibench.stats.power import Components

_TIMES = (1, 2)


@dataclass(frozen=True)
class PowerPlan:
    """Variance components with their origin in words, and designs with what they find."""

    found: Components
    origin: str
    designs: Sequence[PlannedDesign]


def plan_power(
    dataset: str,
    run_folder: Path | None,
    metric: str,
    images: int | None,
    *,
    power: float,
    level: float,
) -> PowerPlan:
    """Estimate what designs of so many images, and of twice as many, would find.

    Args:
        dataset: whose annotated images are counted; empty where they are counted otherwise.
        run_folder: a finished run; None takes `USUAL`.
        metric: of the run; empty takes its primary one.
        images: independent ones; None counts those of the dataset, or of the run.
        power: chance of finding a difference.
        level: of the two-sided test.

    Raises:
        XaibenchError: nothing says how many images there are, or the run lacks the metric.
    """
    found, origin, section = USUAL, "the published BUSI run, by iou: the median pair of rows", None
    if run_folder is not None:
        section, metric = _section_of(run_folder, metric)
        found = median_components(section, metric)
        origin = f"{run_folder}, by {metric}: the median pair of rows"
    count = images or _count(dataset, section)
    planned = designs(found, [count * times for times in _TIMES], power=power, level=level)
    return PowerPlan(found, origin, list(planned))


def power_to_text(plan: PowerPlan, difference: float, *, power: float, level: float) -> str:
    """Write what it takes, and the designs."""
    return "\n".join(_lines(plan, difference, power=power, level=level))


def _lines(plan: PowerPlan, difference: float, *, power: float, level: float) -> Iterator[str]:
    parts = zip(("image", "answer", "training", "training set"), plan.found, strict=True)
    yield f"Standard deviations of a paired difference, from {plan.origin}:"
    yield "  " + ", ".join(f"{name} {size:.3f}" for name, size in parts)
    yield f"To find a difference of {difference:g} ({power:.0%} power, p < {level:g}, one pair):"
    for kind, words in (("images", "new test images"), ("training_sets", "new training sets, too")):
        enough = [each for each in plan.designs if getattr(each.found, kind) <= difference]
        yield f"  {words}: {_told(enough[0]) if enough else 'none of the designs below is enough'}"
    yield "A single seed says nothing of new trainings, and nothing of new training sets."
    rows = [
        [
            str(each.images),
            each.split,
            str(each.seeds),
            str(each.trainings),
            *(number(value) for value in each.found),
        ]
        for each in plan.designs
    ]
    heads = ["images", "split", "seeds", "trainings", "detectable: new images", "new training sets"]
    yield markdown_table(heads, rows)


def _told(design: PlannedDesign) -> str:
    return (
        f"{design.images} images, --split {design.split} and {design.seeds} training "
        f"seed{'s' if design.seeds > 1 else ''} ({design.trainings} trainings of each network)"
    )


def _section_of(run_folder: Path, metric: str) -> tuple[Section, str]:
    material = read_material(run_folder)
    chosen = metric or primary_metric(material.run)
    if chosen not in material.run.metrics:
        raise XaibenchError(
            f"--metric {metric}: {run_folder} has no such metric; name one of "
            f"{', '.join(material.run.metrics)}."
        )
    return next(sections(material)), str(chosen)


def _count(dataset: str, section: Section | None) -> int:
    """Count independent images: those with a mask, or where none has one all."""
    if dataset:
        samples = open_dataset(bind("dataset", dataset), "").samples
        marked = [sample for sample in samples if sample.annotated] or samples
        return len({sample.group or f"\0{sample.id}" for sample in marked})
    if section is not None:
        return int(section.units["group"].nunique())
    raise XaibenchError("name a --dataset, a --run, or the number of --images.")
