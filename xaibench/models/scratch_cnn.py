"""A plain network that is trained from scratch, for chest radiographs."""

from itertools import pairwise

from torch import nn

from xaibench.core.model import Classifier
from xaibench.core.networks.blocks import conv_block, small_classifier
from xaibench.core.registry import model

_WIDTHS = (32, 64, 128, 128, 256)


@model()
def scratch_cnn(classes: int, *, dropout: float = 0.5) -> Classifier:
    """Build five blocks of [3x3 convolution, batch norm, ReLU], with max pooling in between.

    536,608 parameters, and 257 for each class; `cam` reads a sixteenth of the images' size.

    Options:
        dropout: share of the pooled activations that is dropped in training.
    """
    features = nn.Sequential(conv_block(3, _WIDTHS[0]))
    for wide, narrow in pairwise(_WIDTHS):
        features.extend([nn.MaxPool2d(2), conv_block(wide, narrow)])
    return small_classifier(features, nn.Dropout(dropout), nn.Linear(_WIDTHS[-1], classes))
