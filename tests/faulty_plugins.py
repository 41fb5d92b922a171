"""A small network and methods that go wrong when the environment asks for it."""

import os
import time

from torch import Tensor, nn

import xaibench


class Slow(xaibench.Classifier):
    """Dawdles or falters in training."""

    def loss(self, batch):
        time.sleep(float(os.environ.get("DAWDLE", "0")))
        if "FALTER" in os.environ:
            raise ValueError("the\nsky fell")
        return super().loss(batch)


@xaibench.model()
def matchbox(classes: int, weights: str) -> Slow:
    """Build one convolution."""
    layers = [nn.Conv2d(3, 4, 3, stride=4), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return Slow(nn.Sequential(*layers, nn.Linear(4, classes)), cam_layer="0")


@xaibench.method()
def hapless(images: Tensor) -> Tensor:
    """Raise."""
    raise RuntimeError("no map today")


@xaibench.method()
def leisurely(images: Tensor) -> Tensor:
    """Take so long that a bar is seen."""
    time.sleep(0.2)
    return images[:, 0]
