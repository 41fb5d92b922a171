"""Classifiers that are kept from seeing everything in training, so that they find whole objects."""

from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from xaibench.core.batch import Batch, accuracy, cross_entropy
from xaibench.core.maps import min_max
from xaibench.core.model import Outputs
from xaibench.core.networks.backbone import about
from xaibench.core.networks.erasing import CutMix, drop_attended, hide_patches, mix_in
from xaibench.core.networks.pyramid import Pyramid
from xaibench.core.networks.trunk_classifier import TrunkClassifier, build_pyramid
from xaibench.core.registry import model

# Of the complementary learners' class maps, as their authors set it.
_ERASED = 0.6
_WIDTH = 256


class Wsol(TrunkClassifier):
    """A trunk, average pooling and one linear layer; in training something is hidden from it."""

    def __init__(
        self, trunk: nn.Module, *, channels: int, classes: int, training_by: str, **options: Any
    ) -> None:
        super().__init__(trunk, nn.Linear(channels, classes), **options)
        self.training_by = training_by

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return the cross-entropy of what is shown; of mixed images each label by its share."""
        if not self.training:
            return super().loss(batch)
        images, mixed = batch.images, None
        if self.training_by == "has":
            images = hide_patches(images, self.mean)
        elif self.training_by == "cutmix":
            mixed = CutMix.drawn(images)
            images = mix_in(images, mixed)
        logits = self.classify(self._activations(images))
        loss = cross_entropy(logits, batch)
        if mixed is not None:
            other = replace(batch, labels=batch.labels[mixed.order])
            loss = torch.lerp(cross_entropy(logits, other), loss, mixed.kept)
        return {"loss": loss, "accuracy": accuracy(logits, batch)}

    def _activations(self, images: Tensor) -> Tensor:
        pixels = self.normalize(images)
        if self.training_by != "adl":
            found: Tensor = self.trunk(pixels)
            return found
        if not isinstance(self.trunk, Pyramid):
            # A network of timm hands out its stages all at once.
            return drop_attended(self.trunk(pixels))
        *first, second_last, last = self.trunk
        for stage in first:
            pixels = stage(pixels)
        return drop_attended(last(drop_attended(second_last(pixels))))


class ComplementaryLearners(TrunkClassifier):
    """Two heads that score each position; the second sees nothing of where the first one looks."""

    def __init__(self, trunk: nn.Module, *, channels: int, classes: int, **options: Any) -> None:
        super().__init__(trunk, _scorer(channels, classes), **options)
        self.second = _scorer(channels, classes)

    @property
    def abilities(self) -> frozenset[str]:
        """What every classifier can, and saliency."""
        return super().abilities | {"saliency"}

    def classify(self, activations: Tensor) -> Tensor:
        """Return the first head's logits."""
        logits: Tensor = self.head(activations).mean(dim=(2, 3))
        return logits

    def outputs(self, images: Tensor, *, saliency: bool = False) -> Outputs:
        """Run the first head; the map of the predicted class is the larger one of both heads'."""
        activations = self.trunk(self.normalize(images))
        scores = self.head(activations)
        logits = scores.mean(dim=(2, 3))
        if not saliency:
            return Outputs(logits)
        predicted = logits.argmax(dim=1)
        first, second = self._maps(activations, scores, predicted)
        return Outputs(logits, saliency=torch.maximum(first, second))

    def new_parameters(self) -> list[nn.Parameter]:
        """Return both heads' parameters."""
        return [*super().new_parameters(), *self.second.parameters()]

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return the sum of both heads' cross-entropies."""
        activations = self.trunk(self.normalize(batch.images))
        scores = self.head(activations)
        logits = scores.mean(dim=(2, 3))
        erased = self._erase(activations, _map_of(scores, batch.labels))
        first = cross_entropy(logits, batch)
        second = cross_entropy(self.second(erased).mean(dim=(2, 3)), batch)
        return {
            "loss": first + second,
            "cross_entropy": first,
            "second": second,
            "accuracy": accuracy(logits, batch),
        }

    def _maps(self, activations: Tensor, scores: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
        first = _map_of(scores, classes)
        return first, _map_of(self.second(self._erase(activations, first)), classes)

    @staticmethod
    def _erase(activations: Tensor, found: Tensor) -> Tensor:
        """Return activations that are 0 where a map is above the threshold; no gradient by that."""
        return activations * (found.detach() <= _ERASED)[:, None]


def _scorer(channels: int, classes: int) -> nn.Sequential:
    """Return activations -> each class's score at each position."""
    return nn.Sequential(
        nn.Conv2d(channels, _WIDTH, kernel_size=3, padding=1), nn.ReLU(inplace=True),
        nn.Conv2d(_WIDTH, classes, kernel_size=1),
    )  # fmt: skip


def _map_of(scores: Tensor, classes: Tensor) -> Tensor:
    """Return the scores of one class for each image, stretched to [0, 1], ``(B, h, w)``."""
    chosen = scores.take_along_dim(classes[:, None, None, None], dim=1)[:, 0]
    return min_max(chosen).nan_to_num()


@model(paper="choe2020wsol")
def wsol(
    classes: int,
    weights: str,
    *,
    backbone: str = "resnet50",
    training: Literal["has", "acol", "adl", "cutmix"] = "cutmix",
    channels: int = 0,
) -> TrunkClassifier:
    """Build a classifier that learns from labels alone, from images of which something is hidden.

    Options:
        backbone: a convolutional network of torchvision, such as resnet18, or timm/NAME.
        training: ``has`` hides squares of the image at random (Hide-and-Seek), ``cutmix`` puts a
            part of another image there, ``adl`` drops what the network attends to most, and
            ``acol`` has a second head that sees nothing of where the first one looks
            (zhang2018acol); its map is the larger one of both, of the predicted class, and the
            method `spn` reads it.
        channels: that the backbone reads: 1 is the images' luminance, 0 red, green and blue.
    """
    trunk, widths = build_pyramid(backbone, classes, weights, channels=channels)
    told: dict[str, Any] = {
        "channels": widths[-1], "classes": classes, "supervision": "labels",
        **about(backbone, weights, channels),
    }  # fmt: skip
    if training == "acol":
        return ComplementaryLearners(trunk, **told)
    return Wsol(trunk, training_by=training, **told)
