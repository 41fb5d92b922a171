"""What a plugin costs: seconds and memory, on a few images of the usual size."""

import copy
import ctypes
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from xaibench.checks.method_trial import MethodTrial
from xaibench.checks.metric_trial import TUNED, explain_again
from xaibench.checks.networks import CLASSES, make_network
from xaibench.core.data import Dataset
from xaibench.core.model import Model, evaluating
from xaibench.core.passes.device import set_up
from xaibench.core.passes.engine import Engine
from xaibench.core.passes.memory import forget_peak, held_memory, peak_memory
from xaibench.core.plugin import Bound
from xaibench.explaining.batch import ImageBatch, Maps
from xaibench.explaining.evidence import evidence_of
from xaibench.explaining.questions import question_for, record, words_of
from xaibench.explaining.trial import synthetic_words

SIDE, MOST = 224, 8
_KIND = "label"
_ANALYZED, _NAMES = 200, ("normal", "benign", "malignant")
# One image that took longer is enough.
_PATIENCE = 1.0
_MEGABYTE, _HUNDRED = 1 << 20, 100


@dataclass(frozen=True)
class Measurement:
    """What some images cost; ``peak`` bytes beyond what there was before, None if unknown."""

    images: int
    seconds: float
    peak: int | None
    passes: float | None = None

    what: str = f"{SIDE} x {SIDE}"

    def __str__(self) -> str:
        """Say it in one line."""
        peak = (
            "memory unknown" if self.peak is None else f"{self.peak / _MEGABYTE:.0f} MB of memory"
        )
        passes = (
            "" if self.passes is None else f", {_rounded(self.passes)} passes through the network"
        )
        count = "1 image" if self.images == 1 else f"{self.images} images"
        return (
            f"{_rounded(self.seconds / self.images)} s an image{passes}, {peak} at the peak "
            f"({count} of {self.what}, {_place()})"
        )


def measure(work: Callable[[int], object]) -> Measurement:
    """Measure ``work(count)`` on one image and then, unless that took long, on several at once."""
    alone = _once(work, 1)
    return alone if alone.seconds > _PATIENCE else _once(work, MOST)


def method_figures(method: Bound, trial: MethodTrial) -> Measurement:
    """Measure a method on a trial's network; it counts the images that this network sees.

    What its fit takes is not counted: that is done once.
    """
    device = _device()
    model = set_up(make_network(trial.network), device)
    scene = _images(device)
    masks = _masks(device)
    seen: list[int] = []

    def explain(count: int) -> None:
        seen.clear()
        batch = _batch(scene, masks, count, engine.predict)
        tape = record(engine, words_of([method]), batch.images)
        known = trial.known(masks, str(device))
        method(question_for(method, tape, batch, _KIND, 0, known))

    # Passes that are filled up would count for more than a method asks for.
    engine = Engine(model, full_blocks=False)
    for part in {_first_convolution(model), _first_convolution(engine.fast(scene))}:
        part.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    found = measure(explain)
    return Measurement(found.images, found.seconds, found.peak, sum(seen) / found.images)


def metric_figures(metric: Bound) -> Measurement:
    """Measure a metric on noise, with a small network for those that ask it again."""
    device = _device()
    engine = Engine(set_up(make_network("conv"), device))
    images = _images(device)
    maps, masks = images.mean(dim=1), _masks(device)

    def score(count: int) -> None:
        batch = replace(_batch(images, masks, count, engine.predict), respond=engine.logits)
        given = {_KIND: Maps(maps[:count], ["ok"] * count)}
        metric(evidence_of(given, batch, explain_again, TUNED)[_KIND])

    engine.predict(images)
    return measure(score)


def model_figures(model: Model) -> Measurement:
    """Measure forward passes."""
    device = _device()
    model, images = copy.deepcopy(model).to(device), _images(device)
    with evaluating(model), torch.no_grad():
        return measure(lambda count: model(images[:count]))


def dataset_figures(dataset: Dataset) -> Measurement:
    """Measure the reading of its first images."""
    samples = dataset.samples[:MOST]
    found = measure(lambda count: [dataset.read(sample) for sample in samples[:count]])
    return replace(found, images=min(found.images, len(samples)), what="their own size")


def analysis_figures(analysis: Bound) -> Measurement:
    """Measure an analysis of made-up embeddings, beside as many of a training part."""

    def work(count: int) -> None:
        analysis(synthetic_words(_NAMES, count, images=count))

    return replace(_once(work, _ANALYZED), what="made-up embeddings")


def _once(work: Callable[[int], object], count: int) -> Measurement:
    device = _device()
    if device.type == "cpu":
        _give_back_memory()
    forget_peak(device)
    before = held_memory(device)
    started = time.perf_counter()
    work(count)
    if device.type == "cuda":
        torch.cuda.synchronize()
    seconds, peak = time.perf_counter() - started, peak_memory(device)
    extra = None if before is None or peak is None else max(peak - before, 0)
    return Measurement(count, seconds, extra)


def _give_back_memory() -> None:
    """Trim the allocator: what is free but held would hide what is taken."""
    with suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)


def _rounded(value: float) -> str:
    return f"{value:,.0f}" if value >= _HUNDRED else f"{value:.2g}"


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _place() -> str:
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    threads = torch.get_num_threads()
    return f"cpu, {threads} thread{'s' if threads > 1 else ''}"


def _images(device: torch.device) -> Tensor:
    drawn = torch.rand(MOST, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(7))
    return drawn.to(device)


def _masks(device: torch.device) -> Tensor:
    masks = torch.zeros(MOST, SIDE, SIDE, dtype=torch.int8, device=device)
    masks[:, 60:120, 80:180] = 1
    return masks


def _batch(
    images: Tensor, masks: Tensor, count: int, predict: Callable[[Tensor], Tensor]
) -> ImageBatch:
    targets = torch.arange(count, device=images.device) % CLASSES
    return ImageBatch(
        [str(row) for row in range(count)],
        images[:count],
        masks[:count],
        [True] * count,
        {_KIND: targets},
        predict,
    )


def _first_convolution(model: Model) -> nn.Module:
    return next(part for part in model.modules() if isinstance(part, nn.Conv2d))
