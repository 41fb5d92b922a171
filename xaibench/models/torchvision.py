"""Classification networks of torchvision by their bare names, as ``convnext_tiny``."""

from typing import Unpack

from xaibench.core.model import Classifier
from xaibench.core.networks import from_torchvision
from xaibench.core.networks.backbone import Transfer
from xaibench.core.passes.named_network import build_named
from xaibench.core.plugin import ModelTraits
from xaibench.core.registry import model

_PAPERS = {
    "alexnet": "krizhevsky2014weird", "densenet": "huang2017densenet",
    "googlenet": "szegedy2015googlenet", "inception_v3": "szegedy2016inception",
    "mobilenet_v2": "sandler2018mobilenetv2", "mobilenet_v3": "howard2019mobilenetv3",
    "resnet": "he2016resnet", "squeezenet": "iandola2016squeezenet", "vgg": "simonyan2015vgg",
}  # fmt: skip


@model(paper="marcel2010torchvision", library=ModelTraits("", from_torchvision.names, _PAPERS))
def torchvision(
    member: str, classes: int, weights: str, image_size: int, **transfer: Unpack[Transfer]
) -> Classifier:
    """Classification networks of torchvision by their bare names, as ``convnext_tiny``.

    ``--weights imagenet`` takes IMAGENET1K_V1.
    """
    return build_named(member, classes, weights, image_size, **transfer)
