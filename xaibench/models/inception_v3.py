"""Inception v3 (Szegedy et al. 2016)."""

from typing import Unpack

from xaibench.core.model import Classifier
from xaibench.core.networks.backbone import Transfer, build_classifier
from xaibench.core.registry import model


@model(paper="szegedy2016inception")
def inception_v3(classes: int, weights: str, **transfer: Unpack[Transfer]) -> Classifier:
    """Build Inception v3 without its auxiliary head.

    21,785,568 parameters, and 2,049 for each class. Images have at least 75 pixels a side, and
    107 for a CAM layer of more than one position.
    """
    return build_classifier("inception_v3", classes, weights, **transfer)
