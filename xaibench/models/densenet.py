"""Densely connected networks (Huang et al. 2017)."""

from typing import Unpack

from xaibench.core.model import Classifier
from xaibench.core.networks.backbone import Transfer, build_classifier
from xaibench.core.registry import model


@model(paper="huang2017densenet")
def densenet121(classes: int, weights: str, **transfer: Unpack[Transfer]) -> Classifier:
    """Build a densely connected network of 121 layers.

    6,953,856 parameters, and 1,025 for each class.
    """
    return build_classifier("densenet121", classes, weights, **transfer)


@model(paper="huang2017densenet")
def densenet201(classes: int, weights: str, **transfer: Unpack[Transfer]) -> Classifier:
    """Build a densely connected network of 201 layers.

    18,092,928 parameters, and 1,921 for each class.
    """
    return build_classifier("densenet201", classes, weights, **transfer)
