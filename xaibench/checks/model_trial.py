"""One model: what the rules for models look at."""

from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from xaibench.checks.networks import CLASSES
from xaibench.checks.rule import Broken
from xaibench.checks.state import isolated
from xaibench.core.batch import Batch
from xaibench.core.contract import OWN_WORDS
from xaibench.core.model import Model, evaluating
from xaibench.core.passes.acceptance import accept
from xaibench.core.plugin import Bound, Plugin
from xaibench.setup.building import ModelWords, numbered

# Logits, and what a model has of its own, by name.
Given = dict[str, Tensor]
COUNT = 3
# The first isn't square, and small; below, AlexNet and Inception pool all to a single position.
_SIZES = ((112, 144), (224, 224))


class ModelTrial:
    """One model plugin, built without weights."""

    label = "made-up images"

    def __init__(self, bound: Bound, classes: int = CLASSES) -> None:
        self.bound, self.classes = bound, classes

    @property
    def plugin(self) -> Plugin:
        """The model's."""
        return self.bound.plugin

    @property
    def sized(self) -> bool:
        """Whether it is built for one size of images."""
        return "image_size" in self.plugin.signature.words

    @property
    def side(self) -> int:
        """Of the square images that it surely takes."""
        return _SIZES[0][0] if self.sized else _SIZES[1][0]

    def build(self, noise: int = 0, side: int | None = None) -> Any:
        """Return what the plugin builds, at random, for square images of a side."""
        with isolated(noise):
            return self.bound(ModelWords(numbered(self.classes), side or self.side))

    @cached_property
    def model(self) -> Model:
        """What it builds; the rules leave it as it is.

        Raises:
            Broken: it is no model.
        """
        built = self.build()
        if not isinstance(built, Model):
            raise Broken(
                f"it returned a {type(built).__name__}; return an xaibench.Model, such as "
                "xaibench.Classifier(network, cam_layer=...)."
            )
        accept(built, torch.zeros(1, 3, self.side, self.side), dependent=True)
        if built.output_form is not None and built.output_form.single:
            self.classes = 2
        return built

    @cached_property
    def refusal(self) -> str:
        """Why it doesn't take images that aren't square; empty where it does."""
        try:
            self.look(self.model, _images(*_SIZES[0]))
        except Exception as error:  # networks raise anything
            return f"{type(error).__name__}: {str(error).strip().splitlines()[0]}"
        return ""

    @cached_property
    def images(self) -> Tensor:
        """Images ``(B, 3, H, W)`` that it takes; not square if possible."""
        return _images(*([self.side] * 2 if self.refusal else _SIZES[0]))

    @cached_property
    def given(self) -> Given:
        """What it gives for the images."""
        return self.look(self.model, self.images)

    def batch(self, *, masked: bool) -> Batch:
        """Return training data; without masks that may be seen, or with some."""
        masks = torch.zeros(COUNT, *self.images.shape[2:], dtype=torch.int8)
        masks[:, 8:24, 16:40] = 1
        seen = torch.tensor([masked, False, masked])
        labels = torch.arange(COUNT) % self.classes
        return Batch(self.images.clone(), labels, masks, seen, COUNT, max(int(seen.sum()), 1))

    def look(self, model: Model, images: Tensor, noise: int = 0) -> Given:
        """Return what a model gives in evaluation mode, with maps of its own if it has any."""
        with evaluating(model), torch.no_grad(), isolated(noise):
            outputs = model.answer(images.clone(), saliency=bool(OWN_WORDS & model.abilities))
        return {name: value for name, value in outputs._asdict().items() if value is not None}


def _images(height: int, width: int) -> Tensor:
    shape = (COUNT, 3, height, width)
    return torch.rand(shape, generator=torch.Generator().manual_seed(6))
