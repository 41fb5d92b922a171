"""What users hand to the public functions, checked and brought into form."""

from collections.abc import Collection, Sequence
from copy import copy, deepcopy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from xaibench.core.contract import CLASSIFIER_WORDS, LAYER_WORDS, MASK_WORDS, TRAINING_WORDS
from xaibench.core.errors import XaibenchError
from xaibench.core.model import Classifier, Model, Reshape
from xaibench.core.output_form import OutputChoice
from xaibench.core.passes.acceptance import accept
from xaibench.core.passes.batching import let_through
from xaibench.core.passes.layer_names import full_name
from xaibench.core.passes.layers import cam_layer_of
from xaibench.core.passes.own_layer import with_layer
from xaibench.core.plugin import Bound
from xaibench.setup.building import missing_word

_IMAGE_DIMENSIONS = 4
# The most that a picture has: red, green, blue and opacity.
_CHANNELS = 4


class _AsGiven(Classifier):
    """A user's network: the user's images are what it takes."""

    def normalize(self, images: Tensor) -> Tensor:
        """Return them as they are; a copy, as some networks normalize in place."""
        return images.clone()


def check_images(images: Tensor | np.ndarray, model: nn.Module) -> Tensor:
    """Return images as the model's parameters are: their floating type and their device."""
    if not isinstance(model, nn.Module):
        raise XaibenchError(f"the model must be a torch.nn.Module, not a {type(model).__name__}.")
    try:
        images = torch.as_tensor(images)
    except (TypeError, ValueError, RuntimeError):
        kind = type(images).__name__
        raise XaibenchError(
            f"images must be one float tensor or array (B, C, H, W), not a {kind}; stack tensors "
            "by torch.stack, and turn pictures into tensors by "
            "torchvision.transforms.functional.to_tensor."
        ) from None
    if images.ndim == _IMAGE_DIMENSIONS and not len(images):
        raise XaibenchError("there is no image to explain: images has length 0.")
    if images.ndim != _IMAGE_DIMENSIONS:
        raise XaibenchError(f"images must be (B, C, H, W), not {tuple(images.shape)}.")
    if not images.is_floating_point():
        raise XaibenchError(f"images must be floats, not {images.dtype}; scale them to [0, 1].")
    if not bool(images.isfinite().all()):
        raise XaibenchError("images hold infinite numbers or NaN; replace them.")
    parameter = next(model.parameters(), images)
    if parameter.dtype not in (torch.float32, torch.float64):
        raise XaibenchError(
            f"the model's parameters are {parameter.dtype}; pass model.float(), and to compute in "
            "halves an Explainer with precision='fp16' or 'bf16'."
        )
    # A clone, as a tensor made in inference mode takes part in no gradient.
    return images.detach().to(parameter).clone()


def on_device(model: nn.Module, device: str | torch.device | None) -> nn.Module:
    """Return a model where it is to run: itself where it is there, else a copy.

    Raises:
        XaibenchError: there is no such device here.
    """
    if device is None or not isinstance(model, nn.Module):
        return model
    try:
        place = torch.empty(0, device=device).device
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise XaibenchError(f"device={device}: {reason}; name cpu, cuda or cuda:NUMBER.") from None
    parameter = next(model.parameters(), None)
    return model if parameter is None or parameter.device == place else deepcopy(model).to(place)


def wrap(
    model: nn.Module,
    images: Tensor,
    layer: str | None = None,
    output: str | int | None = None,
    reshape: Reshape | None = None,
) -> Model:
    """Make a model of any network that takes these images; itself it stays as it was.

    Raises:
        XaibenchError: there is no such layer, or the network gives nothing that can be explained.
    """
    model = getattr(model, "_orig_mod", model)  # of torch.compile, whose code runs no hooks
    name = None if layer is None else full_name(model, _layer_name(model, layer))
    wrapped: Model
    if isinstance(model, Model):
        wrapped = copy(model)
        wrapped.cam_layer = name or model.cam_layer
        wrapped.reshape = reshape or model.reshape
        if output is not None:
            wrapped.output_choice = OutputChoice.parse(output)
    else:
        wrapped = _AsGiven(model, cam_layer=name, output=output, reshape=reshape)
    _try_out(wrapped, images)
    return wrapped


def _layer_name(model: nn.Module, layer: object) -> str:
    """Return a layer's name; it may be given as the module itself."""
    if isinstance(layer, nn.Module):
        for name, part in model.named_modules():
            if part is layer and name:
                return str(name)
        raise XaibenchError(
            f"layer= is a {type(layer).__name__} that is no part of the model; name one of it."
        )
    if not isinstance(layer, str) or not layer:
        raise XaibenchError(f"layer= takes one layer, by its name or as the module, not {layer!r}.")
    return layer


def _try_out(model: Model, images: Tensor) -> None:
    """Refuse what can't be used, and tell what the network says of images that it doesn't take."""
    try:
        accept(model, images)
    except XaibenchError:
        raise
    except Exception as error:  # networks raise anything
        let_through(error)
        said = " ".join((str(error) or type(error).__name__).split())[:300].rstrip(".!")
        shape = f"images (B, C, H, W) = (B, {', '.join(map(str, images.shape[1:]))})"
        hint = ""
        if images.shape[3] <= _CHANNELS < images.shape[1]:
            hint = " Channels come second: images.permute(0, 3, 1, 2)."
        elif isinstance(error, TypeError) and "argument" in said:
            hint = " It is called with the images alone; wrap it in a module that gives the rest."
        raise XaibenchError(f"the model takes no {shape} ({said}).{hint}") from error


def check_words(
    methods: Sequence[Bound], model: Model, images: Tensor, known: Collection[str], remedy: str
) -> None:
    """Refuse methods that ask for what this model, or a call without masks, has not.

    Args:
        methods: with what they ask for.
        model: that is explained.
        images: as it takes them.
        known: the words of `TRAINING_WORDS` that are served; without ``fitted`` methods learn now.
        remedy: what to do where a method asks for another.
    """
    for method in methods:
        word = missing_word(method, model, images)
        asked = method.plugin.signature.words if "fitted" in known else method.plugin.asked
        if lacking := TRAINING_WORDS & set(asked) - {"fitted", *known}:
            raise XaibenchError(
                f"method {method.spec} learns from {' and '.join(sorted(lacking))}; {remedy}."
            )
        if MASK_WORDS & set(method.plugin.signature.words):
            raise XaibenchError(
                f"method {method.spec} needs masks, which only a run on a dataset has."
            )
        if word in CLASSIFIER_WORDS and not model.classifies:
            raise XaibenchError(
                f"method {method.spec} explains a classifier, which this model is not."
            )
        if method.layer and not word:
            cam_layer_of(with_layer(model, method.layer), images)
        if word:
            raise XaibenchError(
                f"method {method.spec} needs {word}, which this model has not; choose another "
                f"{'layer or ' if word in LAYER_WORDS else ''}method."
            )


def _has_truths(targets: Any) -> bool:
    """Whether there is a truth value among them, which torch would take for class 0 or 1."""
    values = targets.tolist() if hasattr(targets, "tolist") else targets
    return any(isinstance(each, bool) for each in np.ravel(np.array(values, dtype=object)))


def given_targets(targets: Any, count: int, model: Model) -> Tensor:
    """Return the classes ``(count,)`` that were named, one for each image or one for all.

    Raises:
        XaibenchError: they are no classes of the model, or not one for each image.
    """
    classes = model.class_count or 0
    try:
        named = int(targets) if isinstance(targets, str) else targets
        chosen = torch.as_tensor(named, device=next((t.device for t in model.parameters()), None))
    except (TypeError, ValueError, RuntimeError):
        chosen = torch.zeros(0)
    if chosen.is_floating_point() or _has_truths(targets):
        raise XaibenchError(f"targets must be whole numbers, one for each image, not {targets}.")
    chosen = chosen.long()
    chosen = chosen.expand(count) if chosen.ndim == 0 else chosen
    if chosen.shape != (count,) or chosen.min() < 0 or 0 < classes <= chosen.max():
        known = f"from 0 to {classes - 1}" if classes else "from 0 upwards"
        raise XaibenchError(f"targets must be {count} classes {known}, not {targets}.")
    return chosen


def predicted_classes(logits: Tensor) -> Tensor:
    """Return the classes ``(B,)`` of logits ``(B, K)``.

    A model that doesn't classify predicts none; class 0 is explained instead.
    """
    if logits.shape[1]:
        return logits.argmax(dim=1)
    return logits.new_zeros(len(logits), dtype=torch.long)
