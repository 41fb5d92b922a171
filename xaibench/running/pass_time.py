"""How long a pass of a model takes on this machine."""

import time
from collections.abc import Callable

import torch

from xaibench.core.model import Model
from xaibench.core.passes.device import (
    forward_in,
    place_images,
    place_model,
    repeatable,
    training_precision,
)
from xaibench.setup.devices import device_here
from xaibench.setup.selection import Selection

_CALLS, _ENOUGH_SECONDS, _AT_ONCE = 3, 1.0, 2


def time_pass(selection: Selection, model: Model) -> float:
    """Return seconds per image of a pass, in the precision that most are made with: training's.

    The model may be on another device afterwards.
    """
    device = device_here(selection.options)
    size, count = selection.options.image_size, selection.options.train_batch_size
    if device.type == "cpu":  # where more at once are no faster, and a plan should need no memory
        count = min(count, _AT_ONCE)
    model = place_model(model, device)
    images = place_images(torch.randint(256, (count, 3, size, size), dtype=torch.uint8), device)
    precision = training_precision(device, selection.options.train_precision)

    def forward() -> None:
        with torch.inference_mode(), forward_in(precision, device):
            model.outputs(images)

    with repeatable(device):
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
