"""AlexNet (Krizhevsky 2014: the one of a single tower)."""

from typing import Unpack

from xaibench.core.model import Classifier
from xaibench.core.networks.backbone import Transfer, build_classifier
from xaibench.core.registry import model


@model(paper="krizhevsky2014weird")
def alexnet(classes: int, weights: str, **transfer: Unpack[Transfer]) -> Classifier:
    """Build AlexNet.

    57,003,840 parameters, and 4,097 for each class. Its CAM layer has one position only
    below 95 pixels a side.
    """
    return build_classifier("alexnet", classes, weights, **transfer)
