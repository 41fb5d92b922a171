"""A small network that ends with global average pooling, for which CAM was thought up."""

from xaibench.core.model import Classifier
from xaibench.core.networks.small import SMALL_MEAN, SMALL_STD, GapCnn
from xaibench.core.registry import model


@model(paper="zhou2016cam")
def gap_cnn(classes: int) -> Classifier:
    """Build four blocks of [convolution, batch norm, ReLU] without padding, and one linear layer.

    Max pooling is between the blocks.
    Images of 128 x 128 become 12 x 12 x 128. For two classes it holds 103,010 numbers, of which
    102,498 are learned and 512 are running statistics; each further class adds 129. Images have at
    least 36 pixels a side, and 44 for more than one position.
    """
    return Classifier(GapCnn(classes), cam_layer="features", mean=SMALL_MEAN, std=SMALL_STD)
