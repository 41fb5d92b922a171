"""A residual network made small: three stages, for digits."""

from torch import nn
from torchvision.models.resnet import BasicBlock

from xaibench.core.model import Classifier
from xaibench.core.networks.blocks import conv_block, small_classifier
from xaibench.core.registry import model


@model(paper="he2016resnet")
def small_resnet(classes: int) -> Classifier:
    """Build a small ResNet: a 3x3 convolution and three blocks, the last two of stride 2.

    77,392 parameters, and 65 for each class; `cam` reads a quarter of the images' size.
    """
    features = nn.Sequential(
        conv_block(3, 16), BasicBlock(16, 16), _shrinking(16, 32), _shrinking(32, 64)
    )
    return small_classifier(features, nn.Linear(64, classes))


def _shrinking(wide: int, narrow: int) -> BasicBlock:
    shortcut = nn.Sequential(
        nn.Conv2d(wide, narrow, kernel_size=1, stride=2, bias=False), nn.BatchNorm2d(narrow)
    )
    return BasicBlock(wide, narrow, stride=2, downsample=shortcut)
