"""The attention branch network: a map that the network draws and then looks through."""

from typing import Any

import torch
from torch import Tensor, nn

from xaibench.core.batch import Batch, accuracy, cross_entropy
from xaibench.core.errors import XaibenchError
from xaibench.core.model import Outputs
from xaibench.core.networks.backbone import about
from xaibench.core.networks.pyramid import Pyramid
from xaibench.core.networks.trunk_classifier import TrunkClassifier, build_pyramid
from xaibench.core.registry import model


class AttentionBranch(nn.Module):
    """Activations ``(B, D, h, w)`` -> an attention map ``(B, h, w)`` and logits of its own."""

    several_labels = True

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.shared = nn.Sequential(
            nn.Conv2d(channels, channels, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, classes, kernel_size=1, bias=False),
            nn.BatchNorm2d(classes),
            nn.ReLU(inplace=True),
        )
        self.classes = nn.Conv2d(classes, classes, kernel_size=1)
        self.map = nn.Sequential(
            nn.Conv2d(classes, 1, kernel_size=3, padding=1, bias=False), nn.BatchNorm2d(1)
        )

    def forward(self, activations: Tensor) -> tuple[Tensor, Tensor]:
        """Return map and logits."""
        shared = self.shared(activations)
        return torch.sigmoid(self.map(shared))[:, 0], self.classes(shared).mean(dim=(2, 3))


class AttentionBranchNetwork(TrunkClassifier):
    """What comes before the trunk's last stage is weighed by (1 + map) before that stage."""

    def __init__(
        self, trunk: Pyramid, *, channels: list[int], classes: int, **options: Any
    ) -> None:
        super().__init__(trunk, nn.Linear(channels[-1], classes), **options)
        self.branch = AttentionBranch(channels[-2], classes)

    @property
    def abilities(self) -> frozenset[str]:
        """What every classifier can, and saliency."""
        return super().abilities | {"saliency"}

    def outputs(self, images: Tensor, *, saliency: bool = False) -> Outputs:  # noqa: ARG002
        """Run all of it: the logits depend on the map."""
        logits, attention, _ = self._run(images)
        return Outputs(logits, saliency=attention)

    def new_parameters(self) -> list[nn.Parameter]:
        """Return the parameters of head and branch."""
        return [*super().new_parameters(), *self.branch.parameters()]

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return the sum of both branches' cross-entropies."""
        logits, _, attended = self._run(batch.images)
        classification = cross_entropy(logits, batch)
        branch = cross_entropy(attended, batch)
        return {
            "loss": classification + branch,
            "cross_entropy": classification,
            "branch": branch,
            "accuracy": accuracy(logits, batch),
        }

    def _run(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        activations = self.normalize(images)
        assert isinstance(self.trunk, Pyramid)
        *stages, last = list(self.trunk)
        for stage in stages:
            activations = stage(activations)
        attention, attended = self.branch(activations)
        weighed = last(activations * (1 + attention[:, None]))
        return self.classify(weighed), attention, attended


@model(paper="fukui2019abn")
def abn(
    classes: int, weights: str, *, backbone: str = "resnet50", channels: int = 0
) -> AttentionBranchNetwork:
    """Build a backbone with an attention branch before its last stage, at stride 16.

    Options:
        backbone: a convolutional network of torchvision, such as resnet18.
        channels: that the backbone reads: 1 is the images' luminance, 0 red, green and blue.
    """
    trunk, widths = build_pyramid(backbone, classes, weights, channels=channels)
    if not isinstance(trunk, Pyramid):
        raise XaibenchError(
            f"abn[backbone={backbone}]: its stages can't be run one by one; take a convolutional "
            "network of torchvision, such as resnet50."
        )
    told = about(backbone, weights, channels)
    return AttentionBranchNetwork(
        trunk, channels=widths, classes=classes, supervision="labels", **told
    )
