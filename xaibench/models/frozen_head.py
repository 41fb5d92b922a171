"""A frozen foundation network, and a small head that learns from labels where the object is."""

from typing import Any

import torch
from torch import Tensor, nn

from xaibench.core.batch import Batch, accuracy, cross_entropy
from xaibench.core.model import Outputs
from xaibench.core.networks.backbone import about
from xaibench.core.networks.trunk_classifier import TrunkClassifier, build_pyramid
from xaibench.core.registry import model

_NOTHING = 1e-6
# What each position is, in the order of the channels.
_FOREGROUND, _BACKGROUND, _REGIONS = 0, 1, 3


class FrozenHead(TrunkClassifier):
    """Tells each position apart as foreground, background or neither; the trunk never changes."""

    def __init__(self, trunk: nn.Module, *, channels: int, classes: int, **options: Any) -> None:
        super().__init__(trunk, nn.Linear(channels, classes), **options)
        self.regions = nn.Sequential(
            nn.Conv2d(channels, _REGIONS, kernel_size=1), nn.BatchNorm2d(_REGIONS)
        )
        self.judge = nn.Linear(channels, classes)
        trunk.requires_grad_(requires_grad=False)

    @property
    def abilities(self) -> frozenset[str]:
        """What every classifier can, and saliency."""
        return super().abilities | {"saliency"}

    def train(self, mode: bool = True) -> "FrozenHead":
        """Switch the heads' mode; the trunk's statistics stay."""
        super().train(mode)
        self.trunk.eval()
        return self

    def outputs(self, images: Tensor, *, saliency: bool = False) -> Outputs:
        """Run the trunk once; the map is each position's probability of being foreground."""
        activations = self.trunk(self.normalize(images))
        found = self.tell_apart(activations)[:, _FOREGROUND] if saliency else None
        return Outputs(self.classify(activations), saliency=found)

    def tell_apart(self, activations: Tensor) -> Tensor:
        """Return the probabilities of foreground, background and neither, ``(B, 3, h, w)``."""
        shares: Tensor = self.regions(activations).softmax(dim=1)
        return shares

    def new_parameters(self) -> list[nn.Parameter]:
        """Return the parameters of all heads."""
        return [*super().new_parameters(), *self.regions.parameters(), *self.judge.parameters()]

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return cross-entropy + that of the foreground + -log(1 - p) of the background.

        p is the confidence of the image's class by the background's average alone.
        """
        with torch.no_grad():
            activations = self.trunk(self.normalize(batch.images))
        logits, shares = self.classify(activations), self.tell_apart(activations)
        inside, outside = (
            self.judge(_average(activations, shares[:, region]))
            for region in (_FOREGROUND, _BACKGROUND)
        )
        classification, foreground = cross_entropy(logits, batch), cross_entropy(inside, batch)
        sure = outside.softmax(dim=1).take_along_dim(batch.labels[:, None], dim=1)[:, 0]
        background = -(1 - sure).clamp(min=_NOTHING).log().sum() / batch.images_counted
        return {
            "loss": classification + foreground + background,
            "cross_entropy": classification,
            "foreground": foreground,
            "background": background,
            "accuracy": accuracy(logits, batch),
        }


def _average(activations: Tensor, shares: Tensor) -> Tensor:
    """Return the activations' average ``(B, D)`` by how much each position counts."""
    total = torch.einsum("bdhw,bhw->bd", activations, shares)
    return total / (shares.sum(dim=(1, 2))[:, None] + _NOTHING)


@model(paper="sabaghi2026trilite")
def frozen_head(
    classes: int,
    weights: str,
    image_size: int,
    *,
    backbone: str = "timm/vit_small_patch14_dinov2",
    channels: int = 0,
) -> FrozenHead:
    """Build a small head on a network that stays as it is; it learns from labels alone.

    Options:
        backbone: a convolutional network of torchvision, such as resnet18, or timm/NAME; meant for
            foundation networks, whose own training isn't part of what is declared here.
        channels: that the backbone reads: 1 is the images' luminance, 0 red, green and blue.
    """
    trunk, widths = build_pyramid(backbone, classes, weights, 1, image_size, channels=channels)
    return FrozenHead(trunk, channels=widths[-1], classes=classes, supervision="labels",
                      **about(backbone, weights, channels))  # fmt: skip
