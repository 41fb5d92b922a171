"""Plugins that do what a file says that is named after them, in the folder MISHAPS.

What the file says changes no fingerprint: a real fault comes and goes in the same code.
"""

import os
import resource
import signal
import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

import xaibench

_MORE = 2**26


@xaibench.method()
def mishap(images: Tensor) -> Tensor:
    """Return the blue channel."""
    blue = images[:, 2].clone()
    asked = _asked("mishap")
    if asked == "nan":
        return blue * torch.nan
    if asked == "some nan":
        blue[0, 3, 4] = torch.nan
    return blue


@xaibench.metric(higher_is_better=True)
def clumsy(maps: Tensor) -> Tensor:
    """Return the maximum."""
    _asked("clumsy")
    return maps.flatten(1).amax(dim=1)


@xaibench.analysis(quantities={"mean": "of all"})
def awkward(embeddings: np.ndarray) -> xaibench.Findings:
    """Return the mean."""
    _asked("awkward")
    return xaibench.Findings({"mean": float(embeddings.mean())})


class Stumbling(xaibench.Classifier):
    def loss(self, batch):
        if self.training:
            _asked("stumbling")
        return super().loss(batch)


@xaibench.model()
def stumbling(classes: int, weights: str) -> Stumbling:
    """Build one convolution."""
    layers = [nn.Conv2d(3, 4, 3, stride=4), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return Stumbling(nn.Sequential(*layers, nn.Linear(4, classes)), cam_layer="0")


def _asked(name):
    """Return what a plugin is to do; do what is the same for all."""
    file = Path(os.environ["MISHAPS"], name)
    asked = file.read_text("utf-8") if file.is_file() else ""
    with file.with_suffix(".calls").open("a") as calls:
        calls.write("x")
    if asked == "raise":
        raise RuntimeError("out of luck")
    if asked == "quit":
        sys.exit(0)
    if asked == "hog":
        _hog()
    if asked.startswith("die"):
        if asked == "die once":
            file.unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    return asked


def _hog():
    """Run out of memory: take ever more, with little more allowed than there is."""
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (taken + 4 * _MORE, before[1]))
    try:
        hoard = []
        while True:
            hoard.append(torch.zeros(_MORE))
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
