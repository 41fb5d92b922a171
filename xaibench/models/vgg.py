"""Networks of the Visual Geometry Group (Simonyan and Zisserman 2015)."""

from typing import Unpack

from xaibench.core.model import Classifier
from xaibench.core.networks.backbone import Transfer, build_classifier
from xaibench.core.registry import model


@model(paper="simonyan2015vgg")
def vgg16(classes: int, weights: str, **transfer: Unpack[Transfer]) -> Classifier:
    """Build VGG with 16 layers, without batch norms.

    134,260,544 parameters, and 4,097 for each class.
    """
    return build_classifier("vgg16", classes, weights, **transfer)


@model(paper="simonyan2015vgg")
def vgg19(classes: int, weights: str, **transfer: Unpack[Transfer]) -> Classifier:
    """Build VGG with 19 layers, without batch norms.

    139,570,240 parameters, and 4,097 for each class.
    """
    return build_classifier("vgg19", classes, weights, **transfer)
