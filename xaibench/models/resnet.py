"""Residual networks (He et al. 2016): the vanilla classifiers of the study."""

from typing import Unpack

from xaibench.core.model import Classifier
from xaibench.core.networks.backbone import Transfer, build_classifier
from xaibench.core.registry import model


@model(paper="he2016resnet")
def resnet18(classes: int, weights: str, **transfer: Unpack[Transfer]) -> Classifier:
    """Build a residual network of 18 layers.

    11,176,512 parameters, and 513 for each class.
    """
    return build_classifier("resnet18", classes, weights, **transfer)


@model(paper="he2016resnet")
def resnet34(classes: int, weights: str, **transfer: Unpack[Transfer]) -> Classifier:
    """Build a residual network of 34 layers.

    21,284,672 parameters, and 513 for each class.
    """
    return build_classifier("resnet34", classes, weights, **transfer)


@model(paper="he2016resnet")
def resnet50(classes: int, weights: str, **transfer: Unpack[Transfer]) -> Classifier:
    """Build a residual network of 50 layers.

    23,508,032 parameters, and 2,049 for each class.
    """
    return build_classifier("resnet50", classes, weights, **transfer)


@model(paper="he2016resnet")
def resnet101(classes: int, weights: str, **transfer: Unpack[Transfer]) -> Classifier:
    """Build a residual network of 101 layers.

    42,500,160 parameters, and 2,049 for each class.
    """
    return build_classifier("resnet101", classes, weights, **transfer)
