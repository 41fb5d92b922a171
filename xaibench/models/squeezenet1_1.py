"""SqueezeNet 1.1 (Iandola et al. 2016)."""

from typing import Unpack

from xaibench.core.model import Classifier
from xaibench.core.networks.backbone import Transfer, build_classifier
from xaibench.core.registry import model


@model(paper="iandola2016squeezenet")
def squeezenet1_1(classes: int, weights: str, **transfer: Unpack[Transfer]) -> Classifier:
    """Build SqueezeNet 1.1, whose last layer is a 1x1 convolution.

    722,496 parameters, and 513 for each class.
    """
    return build_classifier("squeezenet1_1", classes, weights, **transfer)
