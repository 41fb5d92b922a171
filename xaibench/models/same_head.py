"""The plain network with the saliency-aware one's head: what masks add is told beside this one."""

from xaibench.core.networks.trunk_classifier import (
    TrunkClassifier,
    about,
    build_trunk,
    two_layers,
)
from xaibench.core.registry import model


@model()
def same_head(classes: int, weights: str, *, backbone: str = "resnet50") -> TrunkClassifier:
    """Build a backbone with the classification head (1024, K) of `saliency_net`, and no other.

    Options:
        backbone: a convolutional network of torchvision (resnet18, mobilenet_v3_small, ...).
    """
    trunk, channels = build_trunk(backbone, classes, weights)
    return TrunkClassifier(trunk, two_layers(channels, classes), **about(backbone, weights))
