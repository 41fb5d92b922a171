"""VGG made small: four convolutions, for digits."""

from torch import nn

from xaibench.core.errors import XaibenchError
from xaibench.core.model import Classifier
from xaibench.core.networks.blocks import conv_block, small_classifier
from xaibench.core.registry import model

_CONVOLUTIONS, _GRID = 4, 4


@model(paper="simonyan2015vgg")
def small_vgg(
    classes: int, *, filters: tuple[int, ...] = (32, 32, 64, 64), hidden: int = 0
) -> Classifier:
    """Build a small VGG: two pairs of [3x3 convolution, batch norm, ReLU], max pooling after each.

    With these filters 65,760 parameters, and 1,025 for each class, which sees 4 x 4 means of each
    channel.

    Options:
        filters: of the four convolutions, such as ``16-16-32-32``.
        hidden: width of a fully connected layer before the last one; 0 is none.
    """
    if hidden < 0:
        raise XaibenchError(f"small_vgg[hidden={hidden}]: a width can't be negative.")
    if len(filters) != _CONVOLUTIONS or min(filters) < 1:
        raise XaibenchError(
            f"small_vgg[filters={'-'.join(map(str, filters))}]: give four numbers above 0, such as "
            "16-16-32-32."
        )
    first, second, third, last = filters
    features = nn.Sequential(
        conv_block(3, first), conv_block(first, second), nn.MaxPool2d(2),
        conv_block(second, third), conv_block(third, last), nn.MaxPool2d(2),
    )  # fmt: skip
    wide = last * _GRID**2
    head: list[nn.Module] = [nn.Linear(hidden or wide, classes)]
    if hidden:
        head = [nn.Linear(wide, hidden), nn.ReLU(inplace=True), *head]
    return small_classifier(features, *head, grid=_GRID)
