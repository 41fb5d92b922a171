"""The saliency-aware network: a backbone, a two-layer head and a saliency prediction network."""

from typing import Any, Literal

import torch
from torch import Tensor, nn

from xaibench.core.errors import XaibenchError
from xaibench.core.maps import resize
from xaibench.core.model import Batch, Model, Outputs, cross_entropy, evaluating
from xaibench.core.networks.backbone import build_network, cut_trunk, normalisation
from xaibench.core.networks.losses import LOSSES
from xaibench.core.networks.mask_heads import (
    Attention,
    DeepAttention,
    Rasaee,
    SaliencyDecoder,
    Upsampling,
)
from xaibench.core.registry import model

_HIDDEN = 1024
_DEFAULT_BLOCKS = {"spn": 5, "attention": 0, "attention2": 4, "rasaee": 4}


class SaliencyNet(Model):
    """Two heads on one trunk: logits, and a saliency map that learns from masks."""

    def __init__(
        self, trunk: nn.Module, mask_head: nn.Module, *, channels: int, classes: int, loss: str,
        weight: float, **about: Any,
    ) -> None:  # fmt: skip
        super().__init__(cam_layer="trunk", **about)
        self.trunk, self.mask_head = trunk, mask_head
        self.head = nn.Sequential(
            nn.Linear(channels, _HIDDEN), nn.ReLU(inplace=True), nn.Linear(_HIDDEN, classes)
        )
        self.localization_loss, self.weight = LOSSES[loss], weight

    @property
    def abilities(self) -> frozenset[str]:
        """What every classifier can, and saliency."""
        return super().abilities | {"saliency"}

    def outputs(self, images: Tensor, *, saliency: bool = False) -> Outputs:
        """Run the trunk once, and the heads that are asked for."""
        activations = self.trunk(self.normalise(images))
        attends = isinstance(self.mask_head, Attention)
        predicted = None
        if saliency or attends:
            # After training nothing is learned from the map, so that it needs no graph, except
            # where the logits depend on it.
            with torch.set_grad_enabled(torch.is_grad_enabled() and (self.training or attends)):
                predicted = self._predict_saliency(activations, images)
        if attends and predicted is not None:
            activations = activations * (1 + predicted[:, None])
        return Outputs(self.head(activations.mean(dim=(2, 3))), predicted)

    def _predict_saliency(self, activations: Tensor, images: Tensor) -> Tensor:
        size = (images.shape[2], images.shape[3])
        sized = isinstance(self.mask_head, Rasaee)
        predicted: Tensor = self.mask_head(activations, *([size] if sized else []))
        return predicted

    def new_parameters(self) -> list[nn.Parameter]:
        """Return the parameters of both heads."""
        return [*self.head.parameters(), *self.mask_head.parameters()]

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return cross-entropy + weight * localization, the latter over the masked images alone.

        Without any, localization is NaN and no part of the loss.
        """
        outputs = self.outputs(batch.images, saliency=True)
        assert outputs.saliency is not None
        classification = cross_entropy(outputs.logits, batch)
        seen = batch.masked
        if not seen.any():
            # Multiplied by zero and not left out: with several processes each parameter must take
            # part in every backward pass.
            total = classification + 0 * outputs.saliency.sum()
            localization = torch.full_like(total, torch.nan)
        else:
            size = (batch.masks.shape[1], batch.masks.shape[2])
            predicted = resize(outputs.saliency[seen].float(), size)
            truth = (batch.masks[seen] > 0).float()
            counted = None if batch.counted is None else batch.counted[seen]
            losses = self.localization_loss(predicted, truth, counted)
            localization = losses.sum() / batch.masks_counted
            total = classification + self.weight * localization
        return {"loss": total, "cross_entropy": classification, "localization": localization}


@model()
def saliency_net(
    classes: int,
    weights: str,
    *,
    backbone: str = "resnet50",
    mask_head: Literal["spn", "attention", "attention2", "rasaee"] = "spn",
    blocks: int = 0,
    upsampling: Upsampling = "bilinear",
    loss: Literal["l1", "l2", "ssim", "bce", "dice"] = "bce",
    weight: float = 1.0,
) -> SaliencyNet:
    """Build a backbone with a classification head (1024, K) and a saliency prediction network.

    Options:
        backbone: a convolutional network of torchvision (resnet18, mobilenet_v3_small, ...).
        mask_head: ``spn`` decodes up to the image's size; ``attention`` (channel mean, 1x1 conv,
            activations * (1 + map)), ``attention2`` and ``rasaee`` are the published variants.
        blocks: depth of the mask head; 0 takes its published depth (5, -, 4, 4).
        upsampling: how the SPN doubles its size.
        loss: localization loss.
        weight: of the localization loss beside the cross-entropy.
    """
    if blocks < 0 or weight < 0:
        raise XaibenchError("saliency_net: 'blocks' and 'weight' can't be negative.")
    trunk = cut_trunk(build_network(backbone, classes, weights))
    channels = _count_channels(trunk)
    depth = blocks or _DEFAULT_BLOCKS[mask_head]
    head: nn.Module
    if mask_head == "spn":
        head = SaliencyDecoder(channels, depth, upsampling)
    elif mask_head == "attention":
        head = Attention()
    elif mask_head == "attention2":
        head = DeepAttention(channels, depth)
    else:
        head = Rasaee(channels, depth)
    return SaliencyNet(trunk, head, channels=channels, classes=classes, loss=loss, weight=weight,
                       supervision=None if weight else "labels", pretrained=weights != "none",
                       **normalisation(backbone))  # fmt: skip


def _count_channels(trunk: nn.Module) -> int:
    with torch.no_grad(), evaluating(trunk):
        return int(trunk(torch.zeros(1, 3, 96, 96)).shape[1])
