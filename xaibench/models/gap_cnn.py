"""A small network that ends with global average pooling, for which CAM was thought up."""

from torch import nn

from xaibench.core.model import Classifier
from xaibench.core.networks.blocks import small_classifier
from xaibench.core.registry import model


@model(paper="zhou2016cam")
def gap_cnn(classes: int) -> Classifier:
    """Build four blocks of [convolution, ReLU, batch norm] without padding, and one linear layer.

    Images of 128 x 128 become 12 x 12 x 128. For two classes it holds 103,010 numbers, of which
    102,498 are learned and 512 are running statistics; each further class adds 129. Images have at
    least 36 pixels a side, and 44 for more than one position.
    """
    features = nn.Sequential(
        *_block(3, 32, kernel=1), nn.MaxPool2d(2),
        *_block(32, 32), nn.MaxPool2d(2),
        *_block(32, 64), nn.MaxPool2d(2),
        *_block(64, 128),
    )  # fmt: skip
    return small_classifier(features, nn.Linear(128, classes))


def _block(wide: int, narrow: int, *, kernel: int = 3) -> tuple[nn.Module, ...]:
    return nn.Conv2d(wide, narrow, kernel), nn.ReLU(), nn.BatchNorm2d(narrow)
