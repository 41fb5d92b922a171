"""Networks that the tests of passes share: small, and not constant though never trained."""

import copy
from functools import cache

import torch
import torchvision
from torch import nn

from xaibench.core.model import Classifier

CLASSES = 4
LAYERS = {
    "resnet18": "layer4",
    "mobilenet_v3_small": "features",
    "squeezenet1_1": "features",
    "dense": "features",
}


class Dense(nn.Module):
    """DenseNet's manner: norms before convolutions, joined outputs, a functional ReLU at the end.

    Only the first two convolutions feed norms alone.
    """

    def __init__(self, num_classes=CLASSES):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(8),
            nn.ReLU(inplace=True), nn.Conv2d(8, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8),
        )  # fmt: skip
        self.inner_norm, self.inner = nn.BatchNorm2d(8), nn.Conv2d(8, 8, 3, padding=1)
        self.features = nn.Sequential(nn.BatchNorm2d(16))
        self.classifier = nn.Linear(16, num_classes)

    def forward(self, images):
        early = self.stem(images)
        late = self.inner(self.inner_norm(early).relu())
        found = self.features(torch.cat([early, late], dim=1))
        return self.classifier(nn.functional.relu(found, inplace=True).mean(dim=(2, 3)))


def noise(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def calibrated(network, height=64, width=96):
    """Fill the running statistics, without which random networks are nearly constant."""
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.momentum = None
            if part.affine:
                nn.init.normal_(part.bias, std=0.3)
        elif isinstance(part, nn.Linear):
            part.reset_parameters()  # MobileNet's are so small that its logits hardly vary
    network.train()
    with torch.no_grad():
        for step in range(2):
            network(noise(4, 3, height, width, seed=10 + step))
    return network.eval()


def build(kind):
    return copy.deepcopy(_built(kind))


@cache
def _built(kind):
    torch.manual_seed(0)
    make = Dense if kind == "dense" else getattr(torchvision.models, kind)
    return calibrated(make(num_classes=CLASSES))


def wrap(network, layer=None):
    """Make a model whose normalization changes nothing."""
    return Classifier(network, cam_layer=layer, mean=[0, 0, 0], std=[1, 1, 1]).eval()


def model_of(kind):
    return wrap(build(kind), LAYERS[kind])


def far(ours, theirs):
    """The largest difference in units of the largest value."""
    return float((ours - theirs).abs().max() / theirs.abs().max())
