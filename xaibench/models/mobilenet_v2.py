"""MobileNet v2 (Sandler et al. 2018)."""

from typing import Unpack

from xaibench.core.model import Classifier
from xaibench.core.networks.backbone import Transfer, build_classifier
from xaibench.core.registry import model


@model(paper="sandler2018mobilenetv2")
def mobilenet_v2(classes: int, weights: str, **transfer: Unpack[Transfer]) -> Classifier:
    """Build MobileNet v2.

    2,223,872 parameters, and 1,281 for each class.
    """
    return build_classifier("mobilenet_v2", classes, weights, **transfer)
