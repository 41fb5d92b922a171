"""U-Net on a pretrained trunk: what learning from masks can reach, the upper bound."""

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from xaibench.core.batch import Batch
from xaibench.core.model import Model, Outputs
from xaibench.core.networks.backbone import about
from xaibench.core.networks.class_maps import class_loss
from xaibench.core.networks.losses import LOSSES
from xaibench.core.networks.pyramid import FeaturePyramid, Pyramid, SkipDecoder
from xaibench.core.networks.trunk_classifier import build_pyramid
from xaibench.core.registry import model


class UNet(Model):
    """Each pixel's probability of being marked, and which class it shows if it is."""

    classifies = False

    def __init__(
        self,
        trunk: Pyramid | FeaturePyramid,
        decoder: SkipDecoder,
        *,
        all_masks: bool,
        **about: Any,
    ) -> None:
        super().__init__(cam_layer=None, **about)
        self.trunk, self.decoder, self.all_masks = trunk, decoder, all_masks

    @property
    def abilities(self) -> frozenset[str]:
        """Nothing but its maps."""
        return frozenset({"class_maps"})

    def score(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the pixels' logits: of being marked ``(B, H, W)``, of classes ``(B, K, H, W)``."""
        logits = self.pixel_logits(images)
        return logits[:, 0], logits[:, 1:]

    def pixel_logits(self, images: Tensor) -> Tensor:
        """Return what the decoder gives, at the images' size."""
        logits = self.decoder(self.trunk.levels(self.normalize(images)))
        return functional.interpolate(logits, images.shape[2:], mode="bilinear").float()

    def outputs(self, images: Tensor, *, saliency: bool = False) -> Outputs:  # noqa: ARG002
        """Return the pixels' probabilities of background and classes, ``(B, 1 + K, H, W)``."""
        marked, classes = self.score(images)
        share = marked.sigmoid()[:, None]
        maps = torch.cat([1 - share, share * classes.softmax(dim=1)], dim=1)
        return Outputs(images.new_zeros(len(images), 0), class_maps=maps)

    def embed(self, images: Tensor) -> Tensor:
        """Return the trunk's activations, averaged over the image, ``(B, D)``."""
        activations: Tensor = self.trunk(self.normalize(images))
        return activations.mean(dim=(2, 3))

    def new_parameters(self) -> list[nn.Parameter]:
        """Return the decoder's parameters."""
        return list(self.decoder.parameters())

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return ``--loss`` of what is marked + cross-entropy of the class of marked pixels.

        Of masked images alone; ``overlap``, to look at, is their mean IoU at 0.5, NaN without any.
        """
        marked, classes = self.score(batch.images)
        seen = batch.masked
        if not seen.any():
            # Multiplied by zero and not left out: with several processes each parameter must take
            # part in every backward pass.
            nothing = 0 * (marked.sum() + classes.sum())
            return {"loss": nothing, "overlap": torch.full_like(nothing, torch.nan)}
        truth, labels = (batch.masks[seen] > 0).float(), batch.labels[seen]
        predicted = marked[seen].sigmoid()
        counted = batch.counted_in(seen)
        localization = LOSSES[batch.localization_loss](predicted, truth, counted)
        each = functional.cross_entropy(
            classes[seen], labels[:, None, None].expand_as(truth.long()), reduction="none"
        )
        pixels = truth.sum(dim=(1, 2))
        classification = (each * truth).sum(dim=(1, 2)) / pixels.clamp(min=1)
        total = localization + classification
        if batch.class_weights is not None:
            total = total * batch.class_weights[labels]
        found = predicted * (1 if counted is None else counted) > 0.5  # noqa: PLR2004
        both, either = (found & (truth > 0)), (found | (truth > 0))
        overlap = both.sum(dim=(1, 2)) / either.sum(dim=(1, 2)).clamp(min=1)
        return {
            "loss": total.sum() / batch.masks_counted,
            "overlap": overlap.sum() / batch.masks_counted,
        }


class ClassUNet(UNet):
    """Of each class and pixel the probability that the class shows there."""

    several_labels = learns_class_masks = class_saliency = True

    @property
    def abilities(self) -> frozenset[str]:
        """Nothing but its maps."""
        return frozenset({"saliency"})

    def outputs(self, images: Tensor, *, saliency: bool = False) -> Outputs:  # noqa: ARG002
        """Return the probabilities ``(B, K, H, W)``."""
        maps = self.pixel_logits(images).sigmoid()
        return Outputs(images.new_zeros(len(images), 0), saliency=maps)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return the mean of ``--loss`` over the classes of an image whose masks are seen.

        ``overlap``, to look at, is the mean IoU at 0.5 of those that show, NaN without any.
        """
        maps = self.pixel_logits(batch.images).sigmoid()
        masks, known = batch.each_class(maps.shape[1])
        if not known.any():
            nothing = 0 * maps.sum()  # each parameter must take part in every backward pass
            return {"loss": nothing, "overlap": torch.full_like(nothing, torch.nan)}
        costs = class_loss(LOSSES[batch.localization_loss], maps, masks, known)
        shown = known & (masks > 0).flatten(2).any(dim=2)
        found, truth = maps[shown] > 0.5, masks[shown] > 0  # noqa: PLR2004
        both, either = (each.sum(dim=(1, 2)) for each in (found & truth, found | truth))
        return {"loss": costs.sum() / batch.masks_counted, "overlap": (both / either).mean()}


@model(paper="ronneberger2015unet")
def unet(
    classes: int,
    weights: str,
    *,
    backbone: str = "resnet50",
    masks: Literal["all", "budget"] = "all",
    maps: Literal["one", "class"] = "one",
    channels: int = 0,
) -> UNet:
    """Build a segmentation network whose decoder joins the trunk's stages, from stride 32 to 4.

    Options:
        backbone: a convolutional network of torchvision, such as resnet18, or timm/NAME.
        masks: learn from ``all`` training masks, as an upper bound, or within the ``budget``.
        maps: ``one`` tells what is marked, and which class it is, for the method `segmentation`;
            ``class`` has a map for each class, which may overlap, for the method `spn`.
        channels: that the backbone reads: 1 is the images' luminance, 0 red, green and blue.
    """
    trunk, widths = build_pyramid(backbone, classes, weights, channels=channels)
    told = {"all_masks": masks == "all", **about(backbone, weights, channels)}
    if maps == "class":
        return ClassUNet(trunk, SkipDecoder(widths, classes), **told)
    return UNet(trunk, SkipDecoder(widths, 1 + classes), **told)
