"""AlexNet made small: five convolutions and three linear layers, for digits."""

from torch import nn

from xaibench.core.model import Classifier
from xaibench.core.networks.blocks import conv_block, small_classifier
from xaibench.core.registry import model

_GRID, _HIDDEN = 3, 128


@model(paper="krizhevsky2012alexnet")
def small_alexnet(classes: int, *, dropout: float = 0.25) -> Classifier:
    """Build a small AlexNet: a third of its channels, batch norms, and a first kernel of 5x5.

    305,440 parameters, and 129 for each class.

    Options:
        dropout: share dropped before each of the first two linear layers in training.
    """
    features = nn.Sequential(
        conv_block(3, 32, kernel=5), nn.MaxPool2d(2),
        conv_block(32, 64), nn.MaxPool2d(2),
        conv_block(64, 96), conv_block(96, 96), conv_block(96, 64),
    )  # fmt: skip
    return small_classifier(
        features,
        nn.Dropout(dropout),
        nn.Linear(64 * _GRID**2, _HIDDEN),
        nn.ReLU(inplace=True),
        nn.Dropout(dropout),
        nn.Linear(_HIDDEN, _HIDDEN),
        nn.ReLU(inplace=True),
        nn.Linear(_HIDDEN, classes),
        grid=_GRID,
    )
