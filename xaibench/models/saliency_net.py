"""The saliency-aware network: a backbone, a two-layer head and a saliency prediction network."""

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from xaibench.core.batch import Batch, accuracy, cross_entropy
from xaibench.core.errors import XaibenchError
from xaibench.core.maps import resize
from xaibench.core.model import Outputs
from xaibench.core.networks.backbone import about
from xaibench.core.networks.class_maps import class_loss
from xaibench.core.networks.losses import LOSSES
from xaibench.core.networks.mask_heads import (
    Attention,
    DeepAttention,
    Rasaee,
    SaliencyDecoder,
    Upsampling,
)
from xaibench.core.networks.pyramid import FeaturePyramid, Pyramid, SkipDecoder
from xaibench.core.networks.trunk_classifier import (
    HIDDEN,
    TrunkClassifier,
    build_pyramid,
    build_trunk,
    make_head,
)
from xaibench.core.networks.unlabeled import Unlabeled, agreement
from xaibench.core.recipe import LocalizationLoss
from xaibench.core.registry import model

_DEFAULT_BLOCKS = {"spn": 5, "attention": 0, "attention2": 4, "rasaee": 4, "unet": 0}


class SaliencyNet(TrunkClassifier):
    """Two heads on one trunk: logits, and a saliency map that learns from masks."""

    several_labels = True

    def __init__(
        self, trunk: nn.Module, mask_head: nn.Module, *, channels: int, classes: int, loss: str,
        weight: float, hidden: int = HIDDEN, unlabeled: Unlabeled = "none",
        by_class: bool = False, **about: Any,
    ) -> None:  # fmt: skip
        super().__init__(trunk, make_head(channels, hidden, classes), **about)
        self.mask_head = mask_head
        self.localization_loss, self.weight, self.unlabeled = loss, weight, unlabeled
        self.class_saliency = self.learns_class_masks = by_class

    @property
    def abilities(self) -> frozenset[str]:
        """What every classifier can, and saliency."""
        return super().abilities | {"saliency"}

    def outputs(self, images: Tensor, *, saliency: bool = False) -> Outputs:
        """Run the trunk once, and the heads that are asked for."""
        levels = self._levels(images)
        activations = levels[-1]
        attends = isinstance(self.mask_head, Attention)
        predicted = None
        if saliency or attends:
            # After training nothing is learned from the map, so that it needs no graph, except
            # where the logits depend on it.
            with torch.set_grad_enabled(torch.is_grad_enabled() and (self.training or attends)):
                predicted = self._predict_saliency(levels, images)
        if attends and predicted is not None:
            activations = activations * (1 + predicted[:, None])
        return Outputs(self.classify(activations), predicted)

    def _levels(self, images: Tensor) -> list[Tensor]:
        pixels = self.normalize(images)
        if isinstance(self.trunk, Pyramid | FeaturePyramid):
            return self.trunk.levels(pixels)
        return [self.trunk(pixels)]

    def _predict_saliency(self, levels: list[Tensor], images: Tensor) -> Tensor:
        size = (images.shape[2], images.shape[3])
        if isinstance(self.mask_head, SkipDecoder):
            logits = functional.interpolate(self.mask_head(levels), size, mode="bilinear")
            maps = logits if self.class_saliency else logits[:, 0]
            return maps.sigmoid()
        sized = isinstance(self.mask_head, Rasaee)
        predicted: Tensor = self.mask_head(levels[-1], *([size] if sized else []))
        return predicted

    def _look(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Return logits, maps, and which of the maps belong to masked images.

        The decoder with skips runs on these alone, or on one where there are none: it takes as long
        as the trunk. The published heads see all images, and so does whatever learns from all.
        """
        if not isinstance(self.mask_head, SkipDecoder) or self.unlabeled != "none":
            outputs = self.outputs(batch.images, saliency=True)
            assert outputs.saliency is not None
            return outputs.logits, outputs.saliency, batch.masked
        decoded = batch.masked.clone()
        decoded[0] |= not decoded.any()
        levels = self._levels(batch.images)
        saliency = self._predict_saliency([level[decoded] for level in levels], batch.images)
        return self.classify(levels[-1]), saliency, batch.masked[decoded]

    def new_parameters(self) -> list[nn.Parameter]:
        """Return the parameters of both heads."""
        return [*super().new_parameters(), *self.mask_head.parameters()]

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return cross-entropy + weight * localization, the latter over the masked images alone.

        Without any, localization is NaN and no part of the loss. In training, `unlabeled` adds what
        the other images teach.
        """
        logits, saliency, maps_seen = self._look(batch)
        classification = cross_entropy(logits, batch)
        costs = self._localize(saliency[maps_seen], batch)
        if costs is None:
            # Multiplied by zero and not left out: with several processes each parameter must take
            # part in every backward pass.
            total = classification + 0 * saliency.sum()
            localization = torch.full_like(total, torch.nan)
        else:
            localization = costs.sum() / batch.masks_counted
            total = classification + self.weight * localization
        if self.unlabeled != "none" and self.training:
            agreed = agreement(self.unlabeled, self, batch, saliency)
            total = total + self.weight * agreed
        return {
            "loss": total,
            "cross_entropy": classification,
            "localization": localization,
            "accuracy": accuracy(logits, batch),
        }

    def _localize(self, saliency: Tensor, batch: Batch) -> Tensor | None:
        """Return what the maps of the masked images cost, a value each; None without any mask."""
        seen = batch.masked
        if not seen.any():
            return None
        measure = LOSSES[self.localization_loss or batch.localization_loss]
        if self.class_saliency:
            masks, known = (each[seen] for each in batch.each_class(saliency.shape[1]))
            return class_loss(measure, saliency, masks, known) if known.any() else None
        predicted = resize(saliency.float(), (batch.masks.shape[1], batch.masks.shape[2]))
        return measure(predicted, (batch.masks[seen] > 0).float(), batch.counted_in(seen))


@model()
def saliency_net(
    classes: int,
    weights: str,
    *,
    backbone: str = "resnet50",
    mask_head: Literal["spn", "attention", "attention2", "rasaee", "unet"] = "spn",
    blocks: int = 0,
    upsampling: Upsampling = "bilinear",
    loss: Literal["run", LocalizationLoss] = "run",
    weight: float = 1.0,
    hidden: int = HIDDEN,
    unlabeled: Unlabeled = "none",
    maps: Literal["one", "class"] = "one",
    channels: int = 0,
) -> SaliencyNet:
    """Build a backbone with a classification head (1024, K) and a saliency prediction network.

    Options:
        backbone: a convolutional network of torchvision, such as resnet18, timm/NAME, or gap_cnn.
        mask_head: ``spn`` decodes up to the image's size; ``attention`` (channel mean, 1x1 conv,
            activations * (1 + map)), ``attention2`` and ``rasaee`` are the published variants;
            ``unet`` joins the trunk's stages again, from stride 32 to 4.
        blocks: depth of the mask head; 0 takes its published depth (5, -, 4, 4).
        upsampling: how the SPN doubles its size.
        loss: localization loss; ``run``: that of ``--loss``.
        weight: of the localization loss beside the cross-entropy.
        hidden: width of the layer before the classification head's last one; 0: there is none.
        unlabeled: what images without a seen mask teach the map: nothing, or to agree with a second
            look at the mirror image: ``mean_teacher`` and ``pseudo`` by the average of the weights,
            ``consistency`` by the model itself.
        maps: ``one``, of whatever an image shows, or one for each ``class``, which learns from that
            class's masks and is the one that is explained.
        channels: that the backbone reads: 1 is the images' luminance, 0 red, green and blue.
    """
    if maps == "class" and (mask_head not in ("spn", "unet") or unlabeled != "none"):
        raise XaibenchError(
            "saliency_net[maps=class]: goes with mask_head=spn or unet, and without unlabeled."
        )
    count = classes if maps == "class" else 1
    if blocks < 0 or weight < 0:
        raise XaibenchError("saliency_net: 'blocks' and 'weight' can't be negative.")
    depth = blocks or _DEFAULT_BLOCKS[mask_head]
    trunk: nn.Module
    head: nn.Module
    if mask_head == "unet":
        trunk, widths = build_pyramid(backbone, classes, weights, channels=channels)
        width, head = widths[-1], SkipDecoder(widths, count)
    else:
        trunk, width = build_trunk(backbone, classes, weights, channels)
        if mask_head == "spn":
            head = SaliencyDecoder(width, depth, upsampling, count)
        elif mask_head == "attention":
            head = Attention()
        elif mask_head == "attention2":
            head = DeepAttention(width, depth)
        else:
            head = Rasaee(width, depth)
    return SaliencyNet(
        trunk, head, channels=width, classes=classes, loss="" if loss == "run" else loss,
        weight=weight, hidden=hidden, unlabeled=unlabeled, by_class=maps == "class",
        supervision=None if weight else "labels",
        **about(backbone, weights, channels),
    )  # fmt: skip
