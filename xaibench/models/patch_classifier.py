"""A network that never sees more than a patch: an image's logits are the mean of its patches'."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from xaibench.core.batch import Batch, accuracy, cross_entropy
from xaibench.core.errors import XaibenchError
from xaibench.core.model import Model, Outputs
from xaibench.core.networks.backbone import about
from xaibench.core.networks.trunk_classifier import build_trunk
from xaibench.core.registry import model

_SMALLEST = 32


class PatchClassifier(Model):
    """Classifies square patches that touch, each alone, and averages their logits."""

    several_labels = True

    def __init__(self, trunk: nn.Module, head: nn.Module, *, patch: int, **options: Any) -> None:
        super().__init__(cam_layer=None, **options)
        self.trunk, self.head, self.patch = trunk, head, patch

    @property
    def abilities(self) -> frozenset[str]:
        """What a classifier without a CAM layer can, and evidence."""
        return super().abilities | {"evidence"}

    def outputs(self, images: Tensor, *, saliency: bool = False) -> Outputs:  # noqa: ARG002
        """Classify all patches at once."""
        evidence = self.head(self._averages(images)).movedim(3, 1)
        return Outputs(evidence.mean(dim=(2, 3)), evidence=evidence)

    def embed(self, images: Tensor) -> Tensor:
        """Return the patches' average embedding ``(B, D)``."""
        return self._averages(images).mean(dim=(1, 2))

    def new_parameters(self) -> list[nn.Parameter]:
        """Return the head's parameters."""
        return list(self.head.parameters())

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return the cross-entropy of the image's logits."""
        logits = self.outputs(batch.images).logits
        return {"loss": cross_entropy(logits, batch), "accuracy": accuracy(logits, batch)}

    def _averages(self, images: Tensor) -> Tensor:
        """Return what the trunk gives for each patch, averaged, ``(B, rows, columns, D)``."""
        rows, columns = (_places(side, self.patch) for side in images.shape[2:])
        # (B, C, rows, h, columns, w)
        patches = self.normalize(images)[:, :, rows][..., columns].permute(0, 2, 4, 1, 3, 5)
        activations: Tensor = self.trunk(patches.flatten(0, 2))
        return activations.mean(dim=(2, 3)).reshape(len(images), len(rows), len(columns), -1)


def _places(side: int, patch: int) -> Tensor:
    """Return the pixels of each patch along one side, ``(patches, length)``."""
    count = max(round(side / patch), 1)
    length = math.ceil(side / count)
    starts = torch.linspace(0, side - length, count).round().long()
    return starts[:, None] + torch.arange(length)


@model(paper="wienholt2025medicalpatchnet")
def patch_classifier(
    classes: int, weights: str, *, backbone: str = "resnet50", patch: int = 32, channels: int = 0
) -> PatchClassifier:
    """Build a network that classifies patches; what each adds to the logits is the explanation.

    Options:
        backbone: a convolutional network of torchvision, such as resnet18, or timm/NAME.
        patch: side of a patch in pixels. Where the image's side is no multiple of it, patches are a
            little larger or smaller, and may overlap by some pixels.
        channels: that the backbone reads: 1 is the images' luminance, 0 red, green and blue.
    """
    if patch < _SMALLEST:
        raise XaibenchError(f"patch_classifier[patch={patch}]: at least {_SMALLEST}.")
    trunk, width = build_trunk(backbone, classes, weights, channels)
    return PatchClassifier(
        trunk, nn.Linear(width, classes), patch=patch, supervision="labels",
        **about(backbone, weights, channels),
    )  # fmt: skip
