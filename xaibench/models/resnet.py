"""Residual networks (He et al. 2016): the vanilla classifiers of the study."""

from xaibench.core.backbone import build_classifier
from xaibench.core.model import Classifier
from xaibench.core.registry import model


@model(paper="he2016resnet")
def resnet18(classes: int, weights: str) -> Classifier:
    """Build a residual network of 18 layers."""
    return build_classifier("resnet18", classes, weights)


@model(paper="he2016resnet")
def resnet34(classes: int, weights: str) -> Classifier:
    """Build a residual network of 34 layers."""
    return build_classifier("resnet34", classes, weights)


@model(paper="he2016resnet")
def resnet50(classes: int, weights: str) -> Classifier:
    """Build a residual network of 50 layers."""
    return build_classifier("resnet50", classes, weights)


@model(paper="he2016resnet")
def resnet101(classes: int, weights: str) -> Classifier:
    """Build a residual network of 101 layers."""
    return build_classifier("resnet101", classes, weights)
