"""Logits that are the mean of a map of evidence for each class: the map is the explanation."""

from typing import Any

from torch import Tensor, nn

from xaibench.core.batch import Batch, accuracy, cross_entropy
from xaibench.core.errors import XaibenchError
from xaibench.core.model import Outputs
from xaibench.core.networks.backbone import about
from xaibench.core.networks.trunk_classifier import TrunkClassifier, build_trunk
from xaibench.core.registry import model


class SoftCam(TrunkClassifier):
    """A 1x1 convolution scores each position for each class; logits are the scores' means."""

    several_labels = True

    def __init__(
        self, trunk: nn.Module, *, channels: int, classes: int, lasso: float, ridge: float,
        **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(trunk, nn.Conv2d(channels, classes, kernel_size=1), **options)
        self.lasso, self.ridge = lasso, ridge

    @property
    def abilities(self) -> frozenset[str]:
        """What every classifier can, and evidence."""
        return super().abilities | {"evidence"}

    def outputs(self, images: Tensor, *, saliency: bool = False) -> Outputs:  # noqa: ARG002
        """Run trunk and head; the evidence comes without another pass."""
        evidence: Tensor = self.head(self.trunk(self.normalize(images)))
        return Outputs(evidence.mean(dim=(2, 3)), evidence=evidence)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return cross-entropy + lasso * mean |evidence| + ridge * mean evidence^2."""
        outputs = self.outputs(batch.images)
        assert outputs.evidence is not None
        classification = cross_entropy(outputs.logits, batch)
        evidence = outputs.evidence
        sparse = self.lasso * evidence.abs().mean() + self.ridge * evidence.square().mean()
        return {
            "loss": classification + sparse,
            "cross_entropy": classification,
            "accuracy": accuracy(outputs.logits, batch),
        }


@model(paper="djoumessi2025softcam")
def softcam(
    classes: int, weights: str, *, backbone: str = "resnet50", lasso: float = 0.0,
    ridge: float = 0.0,
    channels: int = 0,
) -> SoftCam:  # fmt: skip
    """Build a backbone whose class evidence is scored at each position, and averaged.

    Options:
        backbone: a convolutional network of torchvision, such as resnet18, or timm/NAME.
        lasso: weight of the mean absolute evidence in the loss; more gives sparser maps.
        ridge: weight of the mean squared evidence.
        channels: that the backbone reads: 1 is the images' luminance, 0 red, green and blue.
    """
    if lasso < 0 or ridge < 0:
        raise XaibenchError("softcam: 'lasso' and 'ridge' can't be negative.")
    trunk, width = build_trunk(backbone, classes, weights, channels)
    return SoftCam(trunk, channels=width, classes=classes, lasso=lasso, ridge=ridge,
                   supervision="labels", **about(backbone, weights, channels))  # fmt: skip
