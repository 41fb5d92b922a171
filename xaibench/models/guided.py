"""A classifier whose own map takes part in the loss: it is to lie on what is marked."""

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from xaibench.core.batch import Batch, accuracy, cross_entropy
from xaibench.core.errors import XaibenchError
from xaibench.core.networks.backbone import about
from xaibench.core.networks.class_maps import mean_over_classes
from xaibench.core.networks.dilation import keep_resolution
from xaibench.core.networks.guidance import OF_CELLS, OF_PIXELS
from xaibench.core.networks.trunk_classifier import TrunkClassifier, build_trunk
from xaibench.core.registry import model

# Attention mining, as its authors set it: how sharply and where the map is cut, and what the square
# of its difference to the mask weighs.
_STEEPNESS, _CUT, _MASKS_WEIGH = 10.0, 0.5, 10.0
_NOTHING = 1e-6


class Guided(TrunkClassifier):
    """A trunk, average pooling and one linear layer, so that CAM is Grad-CAM's map."""

    def __init__(
        self, trunk: nn.Module, *, channels: int, classes: int, guidance: str, weight: float,
        boxes_only: bool, **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(trunk, nn.Linear(channels, classes), **options)
        self.guidance, self.weight, self.boxes_only = guidance, weight, boxes_only
        # Attention mining looks again at the rest of an image for its one class.
        self.several_labels = self.learns_class_masks = guidance != "gain"

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return cross-entropy + weight * guidance, the latter over images with marked pixels.

        Without any, guidance is NaN and no part of the loss.
        """
        activations = self.trunk(self.normalize(batch.images))
        logits = self.classify(activations)
        classification = cross_entropy(logits, batch)
        guide = self._guide if batch.labels.ndim == 1 else self._guide_each
        guidance = guide(activations, batch)
        total = classification + (0 if guidance is None else self.weight * guidance)
        return {
            "loss": total,
            "cross_entropy": classification,
            "guidance": torch.full_like(total, torch.nan) if guidance is None else guidance,
            "accuracy": accuracy(logits, batch),
        }

    def _guide(self, activations: Tensor, batch: Batch) -> Tensor | None:
        weights = self.head.weight[batch.labels]  # type: ignore[index]
        signed = torch.einsum("bdhw,bd->bhw", activations, weights)
        cam, marked = signed.relu(), (batch.masks > 0).float()
        # Cells of the map are larger than pixels: what share of each is marked.
        cells = (cam.shape[1], cam.shape[2])
        shares = functional.adaptive_avg_pool2d(marked[:, None], cells)[:, 0]
        seen = batch.masked & shares.flatten(1).any(dim=1)
        if self.guidance == "gain":
            return self._mine(cam, shares, seen, batch)
        if not seen.any():
            return None
        return self._costs(signed[seen], marked[seen]).sum() / batch.masks_counted

    def _guide_each(self, activations: Tensor, batch: Batch) -> Tensor | None:
        """Return what the maps of the marked classes cost: an image's mean over its own."""
        weight = self.head.weight
        assert isinstance(weight, Tensor)
        masks, known = batch.each_class(len(weight))
        known = known & (masks > 0).flatten(2).any(dim=2)
        if not known.any():
            return None
        rows, classes = known.nonzero().unbind(dim=1)
        signed = torch.einsum("ndhw,nd->nhw", activations[rows], weight[classes])
        costs = self._costs(signed, (masks[known] > 0).float())
        return mean_over_classes(costs, known).sum() / batch.masks_counted

    def _costs(self, signed: Tensor, marked: Tensor) -> Tensor:
        """Return how far each map ``(n, h, w)`` is off what is marked ``(n, H, W)``, ``(n,)``."""
        if self.guidance in OF_PIXELS:
            return OF_PIXELS[self.guidance](signed, marked)
        cells = (signed.shape[1], signed.shape[2])
        shares = functional.adaptive_avg_pool2d(marked[:, None], cells)[:, 0]
        return OF_CELLS[self.guidance](signed.relu(), shares)

    def _mine(self, cam: Tensor, shares: Tensor, seen: Tensor, batch: Batch) -> Tensor:
        """Return how sure of the class the network is without what its map shows (li2018gain).

        Of all images; with masks, ten times the map's squared difference to them is added.
        """
        relative = cam / cam.amax(dim=(1, 2), keepdim=True).clamp(min=_NOTHING)
        size = (batch.images.shape[2], batch.images.shape[3])
        enlarged = functional.interpolate(relative[:, None], size, mode="bilinear")
        shown = torch.sigmoid(_STEEPNESS * (enlarged - _CUT))
        rest = self.trunk(self.normalize(batch.images * (1 - shown)))
        sure = self.classify(rest).softmax(dim=1).take_along_dim(batch.labels[:, None], dim=1)
        mined = sure.sum() / batch.images_counted
        if not seen.any():
            return mined
        squares = (relative[seen] - shares[seen]).square().mean(dim=(1, 2))
        return mined + _MASKS_WEIGH * squares.sum() / batch.masks_counted


@model(paper="rao2023guidance")
def guided(
    classes: int,
    weights: str,
    *,
    backbone: str = "resnet50",
    loss: Literal["energy", "energy_dice", "rrr", "l1", "dice", "ppce", "gain", "res"] = "energy",
    weight: float = 1.0,
    by: Literal["masks", "boxes"] = "masks",
    stride: Literal[32, 16] = 16,
    channels: int = 0,
) -> Guided:
    """Build a backbone with one linear layer whose Grad-CAM learns to lie on what is marked.

    Options:
        backbone: a convolutional network of torchvision, such as resnet18, or timm/NAME.
        loss: how far the map is off: ``energy`` outside, ``energy_dice`` that and the enlarged map
            at half of its maximum, ``rrr`` squares outside, ``l1`` and ``dice`` differences to the
            mask, ``ppce`` what is missing inside, ``res`` both, of a mask that may be inexact;
            ``gain`` asks, too, that nothing be recognized without what the map shows.
        weight: of this loss beside the cross-entropy.
        by: what it may read where masks are seen: their pixels, or the boxes around their regions.
        stride: pixels a side of the map's cells; for 16 the last stage keeps the resolution of the
            one before, by dilation.
        channels: that the backbone reads: 1 is the images' luminance, 0 red, green and blue.
    """
    if weight < 0:
        raise XaibenchError("guided: 'weight' can't be negative.")
    trunk, width = build_trunk(backbone, classes, weights, channels)
    keep_resolution(trunk, stride)
    return Guided(
        trunk, channels=width, classes=classes, guidance=loss, weight=weight,
        boxes_only=by == "boxes", supervision=None if weight else "labels",
        **about(backbone, weights, channels),
    )  # fmt: skip
