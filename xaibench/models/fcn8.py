"""A segmentation network: what learning from every mask alone would reach, the upper bound."""

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from xaibench.core.batch import Batch
from xaibench.core.model import Model, Outputs
from xaibench.core.networks.backbone import about
from xaibench.core.networks.pyramid import FeaturePyramid, Pyramid
from xaibench.core.networks.trunk_classifier import build_pyramid
from xaibench.core.registry import model

_SCALES = 3
_HALVED, _FINEST = 2, 8  # times, from scale to scale, and from the finest to the image


class FCN8(Model):
    """Scores of background and classes at three scales, enlarged and added up."""

    classifies = False

    def __init__(
        self, stages: Pyramid | FeaturePyramid, channels: Sequence[int], *, classes: int,
        all_masks: bool, transposed: bool = False, **about: Any,
    ) -> None:  # fmt: skip
        super().__init__(cam_layer=None, **about)
        self.stages = stages
        self.scorers = nn.ModuleList(nn.Conv2d(width, 1 + classes, 1) for width in channels)
        # To the next scale, to the finest, and from there to the image.
        factors = (*[_HALVED] * (len(channels) - 1), _FINEST) if transposed else ()
        self.enlargers = nn.ModuleList(_transposed(1 + classes, factor) for factor in factors)
        self.all_masks = all_masks

    @property
    def abilities(self) -> frozenset[str]:
        """Nothing but its maps."""
        return frozenset({"class_maps"})

    def score(self, images: Tensor) -> Tensor:
        """Return the pixels' logits ``(B, 1 + K, H, W)``."""
        levels = self.stages.levels(self.normalize(images))
        scores = [scorer(level) for level, scorer in zip(levels, self.scorers, strict=True)]
        total: Tensor = scores.pop()
        for step, finer in enumerate([*reversed(scores), images]):
            learned = self.enlargers[step] if self.enlargers else nn.Identity()
            larger = _enlarge(learned(total), finer)
            total = larger if finer is images else finer + larger
        return total

    def outputs(self, images: Tensor, *, saliency: bool = False) -> Outputs:  # noqa: ARG002
        """Return the pixels' probabilities; there are no logits of the image."""
        return Outputs(images.new_zeros(len(images), 0), class_maps=self.score(images).softmax(1))

    def embed(self, images: Tensor) -> Tensor:
        """Return the trunk's activations, averaged over the image, ``(B, D)``."""
        activations: Tensor = self.stages(self.normalize(images))
        return activations.mean(dim=(2, 3))

    def new_parameters(self) -> list[nn.Parameter]:
        """Return the parameters that score."""
        return [*self.scorers.parameters(), *self.enlargers.parameters()]

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return the pixels' cross-entropy and, to look at, their accuracy: masked images alone.

        Without any, the accuracy is NaN.
        """
        scores = self.score(batch.images).float()
        seen = batch.masked
        if not seen.any():
            # Multiplied by zero and not left out: with several processes each parameter must take
            # part in every backward pass.
            nothing = 0 * scores.sum()
            return {"loss": nothing, "pixel_accuracy": torch.full_like(nothing, torch.nan)}
        scores, labels = scores[seen], batch.labels[seen]
        truth = torch.where(batch.masks[seen] > 0, labels[:, None, None] + 1, 0)
        each = functional.cross_entropy(scores, truth, reduction="none")
        known = batch.counted_in(seen)
        counted = torch.ones_like(each) if known is None else known
        settled = counted.sum(dim=(1, 2)).clamp(min=1)
        each = (each * counted).sum(dim=(1, 2)) / settled
        if batch.class_weights is not None:
            each = each * batch.class_weights[labels]
        right = ((scores.argmax(dim=1) == truth) * counted).sum(dim=(1, 2)) / settled
        return {
            "loss": each.sum() / batch.masks_counted,
            "pixel_accuracy": right.sum() / batch.masks_counted,
        }


@model(paper="long2015fcn")
def fcn8(
    classes: int,
    weights: str,
    *,
    backbone: str = "vgg16",
    masks: Literal["all", "budget"] = "all",
    upsampling: Literal["bilinear", "transposed"] = "bilinear",
    channels: int = 0,
) -> FCN8:
    """Build a fully convolutional network that scores pixels at strides 32, 16 and 8.

    Options:
        backbone: a convolutional network of torchvision, such as resnet18, or timm/NAME.
        masks: learn from ``all`` training masks, as an upper bound, or within the ``budget``.
        upsampling: of the scores: fixed, or by transposed convolutions that start as it and learn.
        channels: that the backbone reads: 1 is the images' luminance, 0 red, green and blue.
    """
    stages, widths = build_pyramid(backbone, classes, weights, _SCALES, channels=channels)
    return FCN8(
        stages, widths, classes=classes, all_masks=masks == "all",
        transposed=upsampling == "transposed", **about(backbone, weights, channels),
    )  # fmt: skip


def _transposed(channels: int, factor: int) -> nn.ConvTranspose2d:
    """Return a transposed convolution that enlarges each channel bilinearly, to begin with."""
    side = 2 * factor
    layer = nn.ConvTranspose2d(
        channels, channels, side, stride=factor, padding=factor // 2, bias=False
    )
    ramp = 1 - (torch.arange(side) - (side - 1) / 2).abs() / factor
    with torch.no_grad():
        layer.weight.zero_()
        for channel in range(channels):
            layer.weight[channel, channel] = torch.outer(ramp, ramp)
    return layer


def _enlarge(scores: Tensor, like: Tensor) -> Tensor:
    return functional.interpolate(scores, like.shape[2:], mode="bilinear")
