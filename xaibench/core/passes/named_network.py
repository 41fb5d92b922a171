"""A network of a library with the layer that CAMs read."""

from contextlib import suppress
from typing import Unpack

import torch

from xaibench.core.errors import XaibenchError
from xaibench.core.model import Classifier, evaluating
from xaibench.core.networks.backbone import Transfer, build_classifier
from xaibench.core.passes.layers import find_cam_layer

# Of each name and size; a large network takes seconds, and a run builds it again and again.
_found: dict[tuple[str, int], str | None] = {}


def build_named(
    name: str, classes: int, weights: str, size: int, **transfer: Unpack[Transfer]
) -> Classifier:
    """Return a network as `build_classifier` does, its CAM layer found where no table knows it.

    Where no layer suits, or images of this size don't fit, it has none.

    Raises:
        XaibenchError: as `build_classifier`.
    """
    model = build_classifier(name, classes, weights, size, **transfer)
    if model.cam_layer is None:
        if (name, size) not in _found:
            _found[name, size] = _find(model, size)
        model.cam_layer = _found[name, size]
    return model


def _find(model: Classifier, size: int) -> str | None:
    images = torch.rand(model.blank(size).shape, generator=torch.Generator().manual_seed(0))
    with suppress(XaibenchError, RuntimeError, ValueError), evaluating(model):
        return find_cam_layer(model, images)
    return None
