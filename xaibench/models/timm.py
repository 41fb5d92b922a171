"""Networks of timm, as ``timm/resnet10t``, with a fresh head."""

from typing import Unpack

from xaibench.core.model import Classifier
from xaibench.core.networks import from_timm
from xaibench.core.networks.backbone import Transfer
from xaibench.core.passes.named_network import build_named
from xaibench.core.plugin import ModelTraits
from xaibench.core.registry import model


@model(paper="wightman2019timm", wraps="timm", library=ModelTraits("timm/", from_timm.names))
def timm(
    member: str, classes: int, weights: str, image_size: int, **transfer: Unpack[Transfer]
) -> Classifier:
    """Networks of timm, as ``timm/resnet10t``, with a fresh head.

    Any of ``timm.list_models()``. Networks of one size are built for ``--image-size``. ``--weights
    imagenet`` takes timm's own weights, those of a tag where the name has one behind a dot, and
    pixels are normalized as these expect.
    """
    return build_named(f"timm/{member}", classes, weights, image_size, **transfer)
