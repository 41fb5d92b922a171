"""The plain network with the saliency-aware one's head: what masks add is told beside this one."""

from xaibench.core.networks.backbone import about
from xaibench.core.networks.trunk_classifier import (
    HIDDEN,
    TrunkClassifier,
    build_trunk,
    make_head,
)
from xaibench.core.registry import model


@model()
def same_head(
    classes: int,
    weights: str,
    *,
    backbone: str = "resnet50",
    hidden: int = HIDDEN,
    channels: int = 0,
) -> TrunkClassifier:
    """Build a backbone with the classification head (1024, K) of `saliency_net`, and no other.

    Options:
        backbone: a convolutional network of torchvision, such as resnet18, or timm/NAME.
        hidden: width of the layer before the last one; 0: there is none.
        channels: that the backbone reads: 1 is the images' luminance, 0 red, green and blue.
    """
    trunk, width = build_trunk(backbone, classes, weights, channels)
    return TrunkClassifier(
        trunk, make_head(width, hidden, classes), **about(backbone, weights, channels)
    )
