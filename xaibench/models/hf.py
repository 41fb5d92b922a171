"""Image classifiers of Hugging Face, as ``hf/google/vit-base-patch16-224``, with a fresh head."""

from typing import Unpack

from xaibench.core.model import Classifier
from xaibench.core.networks.backbone import Transfer
from xaibench.core.passes.named_network import build_named
from xaibench.core.plugin import ModelTraits
from xaibench.core.registry import model


@model(paper="wolf2020transformers", wraps="transformers", library=ModelTraits("hf/"))
def hf(
    member: str, classes: int, weights: str, image_size: int, **transfer: Unpack[Transfer]
) -> Classifier:
    """Image classifiers of Hugging Face, as ``hf/google/vit-base-patch16-224``, with a fresh head.

    An id of the hub, or a folder that holds config.json, preprocessor_config.json and, for
    ``--weights imagenet``, model.safetensors: the weights may have learned from other images. Code
    that comes with a network is never run. The configuration tells the images' size.
    """
    return build_named(f"hf/{member}", classes, weights, image_size, **transfer)
