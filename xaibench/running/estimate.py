"""How long a plan will take, from a look at the machine."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

import torch

from xaibench.core.model import Model
from xaibench.core.passes.device import (
    autocast_if_half,
    place_images,
    place_model,
    repeatable,
    training_precision,
)
from xaibench.explaining.dependence import images_of
from xaibench.running.plan import Plan
from xaibench.setup.cells import ledger_of
from xaibench.setup.devices import device_here
from xaibench.setup.jobs import JobStep, Stage
from xaibench.setup.selection import Selection

_CALLS, _ENOUGH_SECONDS, _AT_ONCE = 3, 1.0, 2
_STEP = 3  # passes that a training step takes as long as


def estimate_seconds(selection: Selection, plan: Plan) -> float:
    """Estimate the run's time from a pass of each model, measured now: a training step is three.

    Gradients aren't computed, for they would cost a plan more memory and time than all else.
    """
    device, total = device_here(selection.options), 0.0
    for model in selection.models:
        mine = [job for job in plan.jobs if job.model == model.spec]
        if not mine:
            continue
        with repeatable(device):
            built = selection.build(model, 0, weights="none")
            forward = _time_pass(selection, built, device)
        for job in mine:
            split = selection.split(job.fold)
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


def _time_pass(selection: Selection, model: Model, device: torch.device) -> float:
    """Return seconds per image of a pass, in the precision that most are made with: training's."""
    size, count = selection.options.image_size, selection.options.train_batch_size
    if device.type == "cpu":  # where more at once are no faster, and a plan should need no memory
        count = min(count, _AT_ONCE)
    model = place_model(model, device)
    images = place_images(torch.randint(256, (count, 3, size, size), dtype=torch.uint8), device)
    precision = training_precision(device, selection.options.train_precision)

    def forward() -> None:
        with torch.inference_mode(), autocast_if_half(device, precision):
            model.outputs(images)

    return _seconds(forward, device) / count


def _seconds(work: Callable[[], None], device: torch.device) -> float:
    times: list[float] = []
    # The first call warms up, which matters little where it takes long.
    while len(times) < _CALLS and sum(times) < _ENOUGH_SECONDS:
        started = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - started)
    return min(times)
