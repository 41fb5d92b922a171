"""What all parts share: the network, the images, and how time is taken."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from xaibench.core.model import Model
from xaibench.core.passes.device import now, set_up
from xaibench.core.registry import plugins
from xaibench.setup.selection import Selection, select

Table = tuple[Sequence[str], Sequence[Sequence[object]]]
"""Names of columns, and rows."""
_FAMILIES = ("cam", "gradient", "perturbation")
_FEW = ("gradcam", "gradient", "occlusion")


@dataclass(frozen=True)
class Setting:
    """Where the parts run, and how large they are.

    Attributes:
        device: measured.
        out: folder for tables and trained networks.
        network: name of the model that is explained.
        size: side of the images.
        images: how many are explained at once.
        few: a trial of the script: three methods, two epochs.
    """

    device: torch.device
    out: Path
    network: str = "resnet50"
    size: int = 224
    images: int = 16
    few: bool = False

    @cached_property
    def selection(self) -> Selection:
        """Phantoms of this size, with the network."""
        weights = "none" if self.few else "imagenet"
        return select({"dataset": "phantom[images=64]", "models": (self.network,), "weights":
                       weights, "image_size": self.size, "train_batch_size": self.images,
                       "out": str(self.out)})  # fmt: skip

    @property
    def pixels(self) -> Tensor:
        """Images ``(B, 3, H, W)`` in [0, 1], on the CPU."""
        samples = self.selection.dataset.samples[: self.images]
        return next(iter(self.selection.loader.batches(samples, self.images))).images.float() / 255

    def model(self, device: torch.device | None = None) -> Model:
        """Build the network: the same weights each time."""
        return set_up(self.selection.build(self.selection.models[0], seed=0), device or self.device)

    @property
    def methods(self) -> Iterator[str]:
        """The methods that are ours and need nothing but a network."""
        for name, plugin in plugins("method").items():
            ours = plugin.traits.family in _FAMILIES and not plugin.wraps and not plugin.fit
            if ours and (not self.few or name in _FEW):
                yield name


def seconds(work: Callable[[], object], device: torch.device, calls: int = 3) -> float:
    """Return the shortest time of some calls, after one that warms up."""
    work()
    times = []
    for _ in range(calls):
        started = now(device)
        work()
        times.append(now(device) - started)
    return min(times)


def within(limit: float) -> Callable[[], bool]:
    """Return a function that says whether so many seconds haven't passed yet."""
    started = time.perf_counter()
    return lambda: time.perf_counter() - started < limit
