"""GoogLeNet (Szegedy et al. 2015)."""

from typing import Unpack

from xaibench.core.model import Classifier
from xaibench.core.networks.backbone import Transfer, build_classifier
from xaibench.core.registry import model


@model(paper="szegedy2015googlenet")
def googlenet(classes: int, weights: str, **transfer: Unpack[Transfer]) -> Classifier:
    """Build GoogLeNet with batch norms and without its auxiliary heads.

    5,599,904 parameters, and 1,025 for each class.
    """
    return build_classifier("googlenet", classes, weights, **transfer)
