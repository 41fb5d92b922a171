"""A B-cos network: each logit is a sum over pixels, by weights that align with what they see."""

from typing import Any

import torch
from torch import Tensor, nn

from xaibench.core.errors import XaibenchError
from xaibench.core.model import Model, Outputs, evaluating
from xaibench.core.networks.backbone import about
from xaibench.core.networks.bcos import BcosLayer, Switch, both_signs, make_bcos, settle
from xaibench.core.networks.trunk_classifier import build_trunk
from xaibench.core.registry import model

_LOOK = 64
_TOLERANCE = 1e-2


class BcosNetwork(Model):
    """A trunk and a 1x1 convolution of B-cos layers; logits are the scores' means."""

    def __init__(
        self, trunk: nn.Module, *, channels: int, classes: int, power: float, **options: Any
    ) -> None:
        """Turn a trunk into one of B-cos layers, in place."""
        layer = f"trunk.{trunk.last_layer}" if hasattr(trunk, "last_layer") else "trunk"
        super().__init__(cam_layer=layer, **options)
        self._switch = Switch()
        make_bcos(trunk, power, self._switch)
        self.trunk = trunk
        scores = nn.Conv2d(channels, classes, kernel_size=1, bias=False)
        self.head = BcosLayer(scores, power, self._switch)

    @property
    def abilities(self) -> frozenset[str]:
        """What every classifier can, and evidence."""
        return super().abilities | {"evidence"}

    def outputs(self, images: Tensor, *, saliency: bool = False) -> Outputs:
        """Run the network; what pixels add takes a backward pass for each class."""
        logits = self._score(both_signs(images))
        return Outputs(logits, evidence=self._explain(images) if saliency else None)

    def new_parameters(self) -> list[nn.Parameter]:
        """Return the head's parameters."""
        return [*self.head.parameters()]

    def _score(self, pixels: Tensor) -> Tensor:
        scores: Tensor = self.head(self.trunk(pixels))
        return scores.mean(dim=(2, 3))

    def _explain(self, images: Tensor) -> Tensor:
        """Return what each pixel adds to each logit, times the number of pixels, ``(B, K, H, W)``.

        The network is W(x) x with W(x) that gradients find while its factors are constants.
        """
        with torch.inference_mode(mode=False), torch.enable_grad(), self._switch.on():
            pixels = both_signs(images.detach().clone()).requires_grad_()
            totals = self._score(pixels).sum(dim=0)
            parts = []
            for total in totals:
                (weights,) = torch.autograd.grad(total, pixels, retain_graph=True)
                parts.append((weights * pixels).sum(dim=1).detach())
        return torch.stack(parts, dim=1) * (images.shape[2] * images.shape[3])


@model(paper="bohle2022bcos")
def bcos(
    classes: int, weights: str, *, backbone: str = "resnet50", power: float = 2.0
) -> BcosNetwork:
    """Build a backbone of B-cos layers; what each pixel adds to the logits is the explanation.

    Options:
        backbone: a convolutional network of torchvision, such as resnet18, or timm/NAME; pretrained
            weights are a first guess, from which training goes on.
        power: b, how much weights are to align with what they see; 1 gives plain layers.
    """
    if power < 1:
        raise XaibenchError(f"bcos[power={power:g}]: at least 1.")
    trunk, channels = build_trunk(backbone, classes, weights)
    made = BcosNetwork(trunk, channels=channels, classes=classes, power=power,
                       supervision="labels", **about(backbone, weights))  # fmt: skip
    noise = torch.rand(4, 3, _LOOK, _LOOK)
    settle(made.trunk, both_signs(noise))
    with evaluating(made):
        found = made.outputs(noise, saliency=True)
    assert found.evidence is not None
    missed = (found.evidence.mean(dim=(2, 3)) - found.logits).abs().max()
    if not missed < _TOLERANCE * found.logits.abs().max():
        raise XaibenchError(
            f"bcos[backbone={backbone}]: not all of its layers can be made a sum over pixels; take "
            "a convolutional network with batch norms, such as resnet50 or mobilenet_v3_small."
        )
    return made
