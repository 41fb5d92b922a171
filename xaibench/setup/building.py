"""Untrained networks: built, tried out, and what of the methods' vocabulary they serve."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from xaibench.core.contract import (
    ATTENTION,
    ATTENTION_WORDS,
    CHECKPOINT,
    CLASS_ORDER,
    CLASSIFIER_WORDS,
    FIT_WORDS,
    METHOD_WORDS,
    OWN_WORDS,
)
from xaibench.core.data import Dataset
from xaibench.core.errors import XaibenchError
from xaibench.core.model import Model, evaluating
from xaibench.core.networks.as_trained import load_checkpoint
from xaibench.core.passes.acceptance import accept
from xaibench.core.passes.attentions import try_attention
from xaibench.core.passes.head import find_head
from xaibench.core.passes.own_layer import with_layer
from xaibench.core.plugin import Bound
from xaibench.core.reading.channels import COLORS

# These words are served for every model; whether there are masks is the dataset's affair.
_ALWAYS_THERE = frozenset({*METHOD_WORDS, *FIT_WORDS}) - CLASSIFIER_WORDS - OWN_WORDS


class UnbuiltError(XaibenchError):
    """A model plugin raises where it is called, as a checkpoint of other classes does."""


@dataclass(frozen=True)
class ModelWords:
    """What a model plugin may ask for."""

    class_names: tuple[str, ...]
    image_size: int
    weights: str = "none"

    @property
    def classes(self) -> int:
        """K."""
        return len(self.class_names)


def numbered(count: int) -> tuple[str, ...]:
    """Return names for classes that nobody has named."""
    return tuple(f"class {number}" for number in range(count))


class ModelFacts(NamedTuple):
    """What the plan and the tables have to know of a model (`core.model.Model`)."""

    classifies: bool
    all_masks: bool


def build_model(model: Bound, words: ModelWords) -> Model:
    """Call a model plugin, and try what it returns on one image of its size.

    Raises:
        XaibenchError: it fails, returns something else than a model, or one that doesn't take such
            images: vision transformers are built for one size.
    """
    checkpoint, order = model.shared.get(CHECKPOINT), model.shared.get(CLASS_ORDER, ())
    if order and not checkpoint:
        raise XaibenchError(
            f"model {model.spec}: class_order tells the order of a checkpoint's outputs, and there "
            "is none; give checkpoint=FILE as well."
        )
    try:
        # All weights come from a checkpoint: others need not even be there.
        built = model(replace(words, weights="none") if checkpoint else words)
    except XaibenchError:
        raise
    except Exception as error:
        said = " ".join(str(error).split())
        raise UnbuiltError(
            f"model {model.spec} could not be built ({type(error).__name__}: {said})."
        ) from error
    if not isinstance(built, Model):
        raise XaibenchError(
            f"model {model.spec} returned a {type(built).__name__}; it must return an "
            "xaibench.Model, such as xaibench.Classifier(network, cam_layer=...)."
        )
    if checkpoint:
        load_checkpoint(built, Path(checkpoint), order, words.class_names)
    try_out(built, model.spec, built.blank(words.image_size))
    return built


def try_out(model: Model, spec: str, image: Tensor) -> None:
    """Find out what a model gives for such images, and refuse one that can't be used.

    Raises:
        XaibenchError: it fails, or `core.passes.acceptance` refuses it.
    """
    try:
        accept(model, image)
    except XaibenchError as error:
        raise XaibenchError(f"model {spec}: {error}") from error
    except Exception as error:
        size = f"{image.shape[2]} x {image.shape[3]}"
        said = (str(error) or type(error).__name__).splitlines()[0].rstrip(".!")
        raise XaibenchError(
            f"model {spec} takes no images of {size} ({said}); choose another --image-size, or "
            "fix the model."
        ) from error


def check_channels(built: Model, model: Bound, dataset: Dataset) -> None:
    """Refuse a model that reads other channels than the dataset's images have.

    Raises:
        XaibenchError: it does.
    """
    read, there = built.blank(1).shape[1], dataset.channels
    if read != there:
        remedy = f"say channels={there} of the model, or of its backbone"
        if "channels" not in model.plugin.options:
            remedy = f"take one with the option channels={there}"
        raise XaibenchError(
            f"model {model.spec} reads {read} channels, but the images have {there}; "
            f"{'leave out its option channels' if there == COLORS else remedy}."
        )


def has_attention(model: Model) -> bool:
    """Whether a part of a model is a layer of attention, by its class's name."""
    return any("attention" in type(part).__name__.lower() for part in model.modules())


def why_no_attention(method: Bound, model: Model, images: Tensor) -> str | None:
    """Return why a method that asks for attention can't have that of a model of such images.

    Raises:
        XaibenchError: the model has no layer of the name that the method is given.
    """
    model = with_layer(model, method.layer)
    asked = ATTENTION_WORDS & set(method.plugin.asked)
    try:
        if asked:
            try_attention(model, images, early="exit_attentions" in asked)
    except XaibenchError as error:
        return str(error).rstrip(".")
    return None


def missing_word(method: Bound, model: Model, images: Tensor) -> str | None:
    """Return the first word that a method asks for and a model of such images can't serve.

    Raises:
        XaibenchError: the model has no layer of the name that the method is given.
    """
    model = with_layer(model, method.layer)
    words = method.plugin.asked
    served = _ALWAYS_THERE | model.abilities | ({ATTENTION} if has_attention(model) else set())
    if "class_weights" in words and "class_weights" in served:
        with evaluating(model):
            if find_head(model, images).weights is None:
                return "class_weights"
    if why_no_attention(method, model, images):
        served -= ATTENTION_WORDS
    return next((word for word in words if word not in served), None)
