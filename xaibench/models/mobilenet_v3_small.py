"""MobileNet v3, small (Howard et al. 2019)."""

from typing import Unpack

from xaibench.core.model import Classifier
from xaibench.core.networks.backbone import Transfer, build_classifier
from xaibench.core.registry import model


@model(paper="howard2019mobilenetv3")
def mobilenet_v3_small(classes: int, weights: str, **transfer: Unpack[Transfer]) -> Classifier:
    """Build the small MobileNet v3.

    1,517,856 parameters, and 1,025 for each class.
    """
    return build_classifier("mobilenet_v3_small", classes, weights, **transfer)
