"""A trunk, global average pooling and a head: what learned and guided saliency is built on."""

from typing import Any

import torch
from torch import Tensor, nn

from xaibench.core.errors import XaibenchError
from xaibench.core.model import Model, Outputs, evaluating
from xaibench.core.networks import from_timm
from xaibench.core.networks.backbone import build_network, cut_trunk
from xaibench.core.networks.channels import channels_of
from xaibench.core.networks.pyramid import FeaturePyramid, Pyramid
from xaibench.core.networks.sources import TIMM
from xaibench.core.networks.stages import cut_stages

# Of the study's head.
HIDDEN = 1024
_LOOK = 96
# Strides 4, 8, 16 and 32 of most trunks.
_LEVELS = 4


class TrunkClassifier(Model):
    """Logits of a head on the trunk's activations, averaged over positions.

    Attributes:
        trunk: normalized images -> activations ``(B, D, h, w)``; what CAM methods read.
        head: averages ``(B, D)`` -> logits ``(B, K)``.
    """

    def __init__(self, trunk: nn.Module, head: nn.Module, **about: Any) -> None:
        # A pyramid may be run stage by stage; its last one gives the same activations.
        staged = isinstance(trunk, Pyramid | FeaturePyramid)
        layer = f"trunk.{trunk.last_layer}" if staged else "trunk"
        super().__init__(cam_layer=layer, **about)
        self.trunk, self.head = trunk, head

    @property
    def answering(self) -> nn.Module:
        """The classification head: mask heads and branches come after it."""
        return self.head

    def outputs(self, images: Tensor, *, saliency: bool = False) -> Outputs:  # noqa: ARG002
        """Run trunk and head."""
        return Outputs(self.classify(self.trunk(self.normalize(images))))

    def classify(self, activations: Tensor) -> Tensor:
        """Return the logits that belong to the trunk's activations."""
        logits: Tensor = self.head(activations.mean(dim=(2, 3)))
        return logits

    def new_parameters(self) -> list[nn.Parameter]:
        """Return the head's parameters."""
        return list(self.head.parameters())


def make_head(channels: int, hidden: int, classes: int) -> nn.Module:
    """Return a fresh layer and the last one, with a ReLU between them; the last alone for 0.

    Raises:
        XaibenchError: the width of the fresh layer is negative.
    """
    if hidden < 0:
        raise XaibenchError("'hidden' can't be negative.")
    if not hidden:
        return nn.Linear(channels, classes)
    return nn.Sequential(
        nn.Linear(channels, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, classes)
    )


def build_trunk(
    backbone: str, classes: int, weights: str, channels: int = 0
) -> tuple[nn.Module, int]:
    """Return a network's trunk and the number of channels that it gives.

    ``channels`` is what its first layer reads (`core.networks.backbone.Transfer`).

    Raises:
        XaibenchError: there is no such network, it can't be cut, or its weights can't be had.
    """
    if backbone.startswith(TIMM):
        pyramid, widths = build_pyramid(backbone, classes, weights, channels=channels)
        return pyramid, widths[-1]
    trunk = cut_trunk(build_network(backbone, classes, weights, channels=channels))
    with torch.no_grad(), evaluating(trunk):
        return trunk, trunk(torch.zeros(1, channels_of(trunk), _LOOK, _LOOK)).shape[1]


def build_pyramid(
    backbone: str,
    classes: int,
    weights: str,
    count: int = _LEVELS,
    size: int = 0,
    channels: int = 0,
) -> tuple[Pyramid | FeaturePyramid, list[int]]:
    """Return a network's trunk in ``count`` stages, the finest first, and the channels of each.

    ``size`` is the images' side, for networks that are built for one size; 0 keeps their own.
    ``channels`` is as of `build_trunk`.

    Raises:
        XaibenchError: as `build_trunk`.
    """
    network = build_network(backbone, classes, weights, size, channels)
    if backbone.startswith(TIMM):
        return from_timm.build_pyramid(network, count)
    stages, widths = cut_stages(cut_trunk(network), count)
    return Pyramid(*stages), widths
