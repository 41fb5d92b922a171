"""What `xaibench layers` tells of a network: the CAM layer, why that one, and which others."""

from collections.abc import Iterator

import torch
import torchvision
from torch import Tensor

from xaibench.core.backbone import build_classifier
from xaibench.core.errors import XaibenchError
from xaibench.core.head import find_head
from xaibench.core.layers import (
    as_activations,
    find_cam_layer,
    full_name,
    known_layer,
    named_layer,
    spatial_layers,
)
from xaibench.core.model import Model, evaluating
from xaibench.core.registry import bind, plugins
from xaibench.core.spec import parse_spec
from xaibench.pipeline.selection import ModelWords

_SHOWN = 12


def describe_layers(spec: str, size: int, layer: str = "") -> Iterator[str]:
    """Yield lines about a model's layers.

    Args:
        spec: a model plugin with options, or any classification network of torchvision.
        size: side of the images.
        layer: the one to look at; empty takes what CAMs read.

    Raises:
        XaibenchError: there is no such model or layer, or it doesn't take such images.
    """
    model = _build(spec)
    images = torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(0))
    with evaluating(model):
        try:
            others = list(spatial_layers(model, images))
        except (RuntimeError, AssertionError) as error:
            said = str(error).splitlines()[0].rstrip(".")
            raise XaibenchError(f"{spec} takes no images of {size} x {size} ({said}).") from error
        why = "set by --layer" if layer else "set by the model"
        if not layer and model.cam_layer is None:
            model.cam_layer, why = find_cam_layer(model, images), "the last spatial one"
        elif not layer and known_layer(getattr(model, "network", model)):
            why = "torchvision's table"
        if layer:
            model.cam_layer = full_name(model, layer)
        head = find_head(model, images)
        yield f"{spec}, images of {size} x {size}"
        yield f"CAM layer: {_shown(model.cam_layer or '')} ({why})"
        yield f"  {_form(model, model.cam_layer or '', images)}"
        if head.weights is not None:
            yield "  behind it: pooling and one linear layer; `cam` works"
        elif head.pooled:
            yield "  behind it: pooling, then more than a linear layer; no `cam`"
        else:
            yield "  behind it: layers that see positions; no `cam`"
        yield f"others for --layer, the last {_SHOWN} of {len(others)}:"
        for other in others[:_SHOWN]:
            shape = tuple(as_activations(other.output, images, other.module).shape[1:])
            yield f"  {_shown(other.name):44} {type(other.module).__name__:24} {_by(shape)}"


def _build(spec: str) -> Model:
    name, _ = parse_spec(spec)
    networks = torchvision.models.list_models(module=torchvision.models)
    if name not in plugins("model") and name in networks:
        return build_classifier(name, 2, "none")
    built: Model = bind("model", spec)(ModelWords(2, "none"))
    return built


def _form(model: Model, name: str, images: Tensor) -> str:
    layer = named_layer(model, name)
    seen: list[Tensor] = []
    hook = layer.register_forward_hook(lambda _, __, output: seen.append(output))
    with torch.no_grad():
        model(images)
    hook.remove()
    activations = as_activations(seen[0], images, layer)
    kind = {3: ", from tokens", 4: ""}[seen[0].ndim]
    return f"{type(layer).__name__}, {_by(tuple(activations.shape[1:]))} activations{kind}"


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _shown(name: str) -> str:
    return name.removeprefix("network.")
