"""What the small networks written here are made of."""

from collections import OrderedDict

from torch import nn

from xaibench.core.model import Classifier
from xaibench.core.networks.small import SMALL_MEAN, SMALL_STD


def conv_block(wide: int, narrow: int, *, kernel: int = 3) -> nn.Sequential:
    """Return [convolution, batch norm, ReLU] from one number of channels to another, size kept."""
    return nn.Sequential(
        nn.Conv2d(wide, narrow, kernel, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(narrow),
        nn.ReLU(inplace=True),
    )


def small_classifier(features: nn.Sequential, *head: nn.Module, grid: int = 1) -> Classifier:
    """Return a classifier that learns from nothing; CAM methods read its features.

    Args:
        features: images scaled to [-1, 1] -> activations ``(B, D, h, w)``.
        head: pooled activations ``(B, D * grid^2)`` -> logits. Behind a single linear layer and
            ``grid=1`` the logits are the classes' weighted means of the activations (CAM).
        grid: side of the grid to which the activations are averaged, whatever their size.
    """
    network = nn.Sequential(OrderedDict(
        features=features, pool=nn.AdaptiveAvgPool2d(grid), flatten=nn.Flatten(),
        classifier=nn.Sequential(*head),
    ))  # fmt: skip
    return Classifier(network, cam_layer="features", mean=SMALL_MEAN, std=SMALL_STD)
