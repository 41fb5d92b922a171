"""The networks on which methods are tried; each holds something that methods stumble over."""

import copy
from collections.abc import Callable, Mapping
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional

from xaibench.core.model import Classifier, Model, Outputs
from xaibench.core.networks.mask_heads import SaliencyDecoder

CLASSES = 3
# Neither square nor a power of two.
SIZE = (40, 56)
_CHANNELS, _PATCH = 8, 8


class TwoHeads(Model):
    """Logits, evidence for them and a saliency map; the logits are linear in the activations."""

    def __init__(self) -> None:
        super().__init__(cam_layer="trunk")
        self.trunk = nn.Sequential(*_convolutions(), nn.ReLU(inplace=True))
        self.mask_head = SaliencyDecoder(_CHANNELS, 2, "bilinear")
        self.head = nn.Linear(_CHANNELS, CLASSES)

    @property
    def abilities(self) -> frozenset[str]:
        """What every classifier can, saliency, and evidence."""
        return super().abilities | {"saliency", "evidence"}

    def outputs(self, images: Tensor, *, saliency: bool = False) -> Outputs:
        """Run the trunk once, and the heads that are asked for."""
        activations = self.trunk(self.normalize(images))
        predicted = self.mask_head(activations) if saliency else None
        evidence = self.head(activations.movedim(1, 3)).movedim(3, 1)
        logits = self.head(activations.mean(dim=(2, 3)))
        return Outputs(logits, predicted, evidence=evidence)


class Pictures(Model):
    """Class maps and a picture of the image: what has a map of its own and doesn't classify."""

    classifies = False

    def __init__(self) -> None:
        super().__init__(cam_layer=None)
        self.trunk = nn.Sequential(*_convolutions(), nn.ReLU(inplace=True))
        self.scorer = nn.Conv2d(_CHANNELS, 1 + CLASSES, kernel_size=1)
        self.painter = nn.ConvTranspose2d(_CHANNELS, 3, kernel_size=4, stride=4)

    @property
    def abilities(self) -> frozenset[str]:
        """Both of its outputs."""
        return frozenset({"class_maps", "reconstruction"})

    def outputs(self, images: Tensor, *, saliency: bool = False) -> Outputs:  # noqa: ARG002
        """Run the trunk once, and both heads."""
        activations = self.trunk(self.normalize(images))
        return Outputs(
            images.new_zeros(len(images), 0),
            class_maps=self.scorer(activations).softmax(dim=1),
            reconstruction=self.painter(activations).sigmoid(),
        )


class _Attention(nn.Module):
    """Attention of one head; networks that attend are known by such a module."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.project = nn.Linear(width, 3 * width)

    def forward(self, tokens: Tensor) -> Tensor:
        query, key, value = self.project(tokens).chunk(3, dim=2)
        return functional.scaled_dot_product_attention(query, key, value)


class _Block(nn.Module):
    """Attention and a perceptron, each behind a layer norm."""

    def __init__(self, width: int, activation: nn.Module) -> None:
        super().__init__()
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = _Attention(width)
        self.perceptron = nn.Sequential(
            nn.Linear(width, 2 * width), activation, nn.Dropout(0.5), nn.Linear(2 * width, width)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self.attention(self.first(tokens))
        mixed: Tensor = tokens + self.perceptron(self.second(tokens))
        return mixed


class _Tokens(nn.Module):
    """A vision transformer: the logits hang on a class token, which attends to all patches."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, _CHANNELS, _PATCH, stride=_PATCH)
        self.class_token = nn.Parameter(torch.randn(1, 1, _CHANNELS))
        self.blocks = nn.Sequential(_Block(_CHANNELS, nn.GELU()), _Block(_CHANNELS, nn.ReLU()))
        self.head = nn.Linear(_CHANNELS, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.patches(images).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.class_token.expand(len(tokens), -1, -1), tokens], dim=1)
        logits: Tensor = self.head(self.blocks(tokens)[:, 0])
        return logits


def build_plain() -> Model:
    """Build a network in which an in-place ReLU is behind the CAM layer, as in DenseNet."""
    network = nn.Sequential(
        nn.Sequential(*_convolutions()),
        nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(_CHANNELS, CLASSES),
    )
    return Classifier(network, cam_layer="0")


def build_tokens() -> Model:
    """Build a transformer; behind its last block no patch would have a gradient."""
    return Classifier(_Tokens(), cam_layer="blocks.0")


NETWORKS: Mapping[str, Callable[[], Model]] = {
    "conv": build_plain,
    "two-headed": TwoHeads,
    "token": build_tokens,
    "pictures": Pictures,
}


def make_network(name: str) -> Model:
    """Return a fresh copy: whatever a plugin does to it, the next trial won't notice."""
    return copy.deepcopy(_pristine(name))


@cache
def _pristine(name: str) -> Model:
    """Build a network and leave a mixture of modes and of frozen and free parameters."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = NETWORKS[name]().train()
        with torch.no_grad():
            for _ in range(3):  # without running statistics random networks are nearly constant
                model(torch.rand(8, 3, *SIZE))
    norms = [p for p in model.modules() if isinstance(p, (nn.BatchNorm2d, nn.LayerNorm))]
    norms[0].eval()
    next(model.parameters()).requires_grad_(False)
    return model


def _convolutions() -> list[nn.Module]:
    return [
        nn.Conv2d(3, 6, 3, stride=2, padding=1),
        nn.BatchNorm2d(6),
        nn.ReLU(inplace=True),
        nn.Conv2d(6, _CHANNELS, 3, stride=2, padding=1),
        nn.BatchNorm2d(_CHANNELS),
    ]
