"""What `xaibench layers` tells of a network: the CAM layer, why that one, and all its layers."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import torch
from torch import Tensor

from xaibench.core.errors import XaibenchError
from xaibench.core.model import Model, evaluating
from xaibench.core.networks.known_layers import known_layer
from xaibench.core.passes.head import Head, find_head
from xaibench.core.passes.layer_names import full_name, short_name
from xaibench.core.passes.layer_rows import LayerRow, size_of
from xaibench.core.passes.layers import cam_layer_of, find_cam_layer, spatial_layers
from xaibench.core.passes.spatial import SpatialLayer
from xaibench.core.registry import bind
from xaibench.setup.building import ModelWords, UnbuiltError, build_model, numbered

_SHOWN, _TOKENS = 12, 3
# SqueezeNet's logits pass a ReLU: of only a few, random weights may leave none above 0.
_CLASSES = 10


class UntrainedModel(NamedTuple):
    """A model as its plugin builds it, and an image ``(1, C, H, W)`` of noise."""

    spec: str
    model: Model
    images: Tensor


def build_untrained(spec: str, size: int, classes: int | None = None) -> UntrainedModel:
    """Build a model to look at.

    Args:
        spec: a model with options.
        size: side of the images.
        classes: their number, where the model's weights fix it.

    Raises:
        XaibenchError: there is no such model, it doesn't take such images, or its weights are made
            for another number of classes.
    """
    if size < 1:
        raise XaibenchError(f"--image-size {size}: at least 1.")
    torch.manual_seed(0)  # The same network, the same answer.
    try:
        model = build_model(bind("model", spec), ModelWords(numbered(classes or _CLASSES), size))
    except UnbuiltError as error:
        if classes is not None:
            raise
        raise XaibenchError(
            f"{error} It was asked for {_CLASSES} classes; give --classes if its weights are made "
            "for another number."
        ) from error
    shape = model.blank(size).shape
    images = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    return UntrainedModel(spec, model, images)


def describe_layers(built: UntrainedModel, layer: str = "") -> Iterator[str]:
    """Yield lines about the layers that CAMs read.

    Args:
        built: the model.
        layer: the one to look at; empty takes what CAMs read.

    Raises:
        XaibenchError: there is no such layer, or none that a CAM can read.
    """
    spec, model, images = built
    if layer and not model.classifies:
        raise XaibenchError(
            f"--layer {layer}: {spec} doesn't classify, so that no method reads a layer of it."
        )
    yield f"{spec}, images of {images.shape[2]} x {images.shape[3]}"
    if model.cam_layer is None and "evidence" in model.abilities and not layer:
        yield "CAM layer: none, as it has evidence of its own; other methods see it from outside"
    elif model.classifies:
        yield from _describe(model, images, layer)
    else:
        yield "CAM layer: none, as it doesn't classify; its methods read its own outputs"


def _describe(model: Model, images: Tensor, layer: str) -> Iterator[str]:
    why = choose_layer(model, images, layer)
    chosen = cam_layer_of(model, images)
    with evaluating(model):
        head = find_head(model, images)
    yield f"CAM layer: {short_name(chosen.name)} ({why})"
    yield f"  {type(chosen.module).__name__}, {_form(chosen)} activations{_origin(chosen)}"
    yield f"  behind it: {_about(head)}"
    yield f"layers that --layer could name, the last {_SHOWN}:"
    for other in islice(spatial_layers(model, images), _SHOWN):
        name, kind = short_name(other.name), type(other.module).__name__
        yield f"  {name:44} {kind:24} {_form(other)}{_origin(other)}"


def summarize(built: UntrainedModel, rows: Sequence[LayerRow]) -> Iterator[str]:
    """Yield a table of all layers, and what they hold together."""
    cells = [("layer", "kind", "output", "parameters")]
    for row in rows:
        shape = "" if row.shape is None else " x ".join(map(str, row.shape))
        indent = "  " * row.name.count(".")
        cells.append((f"{indent}{row.name}", row.kind, shape, f"{row.parameters:,}"))
    wide = [max(len(cell[column]) for cell in cells) for column in range(4)]
    for name, kind, shape, count in cells:
        yield f"  {name:{wide[0]}}  {kind:{wide[1]}}  {shape:>{wide[2]}}  {count:>{wide[3]}}"
    size = size_of(built.model)
    yield f"parameters: {size.parameters:,}, of which a training changes {size.trainable:,}"
    if size.statistics:
        whole = size.parameters + size.statistics
        yield f"means and variances of batch norms: {size.statistics:,}; {whole:,} numbers in all"


def choose_layer(model: Model, images: Tensor, layer: str) -> str:
    """Set the CAM layer where it isn't, and say why it is this one.

    Raises:
        XaibenchError: no layer suits, or none has that name.
    """
    if layer:
        model.cam_layer = full_name(model, layer)
        return "set by --layer"
    if model.cam_layer is None:
        model.cam_layer = find_cam_layer(model, images)
        return "found: the last map that all logits depend on"
    known = known_layer(getattr(model, "network", model))
    if known and model.cam_layer == full_name(model, known):
        return "the table of known networks"
    return "set by the model"


def _form(layer: SpatialLayer) -> str:
    return " x ".join(map(str, layer.shape))


def _origin(layer: SpatialLayer) -> str:
    return ", from tokens" if layer.rank == _TOKENS else ""


def _about(head: Head) -> str:
    if head.weights is not None:
        return "pooling and one linear layer: `cam` works, `ablationcam` in closed form"
    if head.pooled:
        return "pooling, then more than a linear layer: no `cam`"
    return "layers that see positions: no `cam`"
