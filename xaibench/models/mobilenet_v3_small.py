"""MobileNet v3, small (Howard et al. 2019)."""

from xaibench.core.backbone import build_classifier
from xaibench.core.model import Classifier
from xaibench.core.registry import model


@model(paper="howard2019mobilenetv3")
def mobilenet_v3_small(classes: int, weights: str) -> Classifier:
    """Build the small MobileNet v3."""
    return build_classifier("mobilenet_v3_small", classes, weights)
