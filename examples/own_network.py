"""Bring your own network."""

from torch import nn

import xaibench


@xaibench.model()
def own_network(classes: int, *, width: int = 16) -> xaibench.Classifier:
    """Build a small convolutional network for gray images scaled to [-1, 1]."""
    network = nn.Sequential()
    network.add_module("features", nn.Sequential(
        nn.Conv2d(3, width, 5, stride=2, padding=2), nn.BatchNorm2d(width), nn.ReLU(),
        nn.Conv2d(width, 2 * width, 3, stride=2, padding=1), nn.BatchNorm2d(2 * width), nn.ReLU(),
    ))  # fmt: skip
    network.add_module("pool", nn.AdaptiveAvgPool2d(1))
    network.add_module("flatten", nn.Flatten())
    network.add_module("classifier", nn.Linear(2 * width, classes))
    return xaibench.Classifier(network, cam_layer="features", mean=[0.5] * 3, std=[0.5] * 3)
