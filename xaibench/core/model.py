"""What every trained network can be asked for."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn

from xaibench.core.batch import Batch, accuracy, cross_entropy
from xaibench.core.contract import CLASSIFIER_WORDS, LAYER_WORDS
from xaibench.core.errors import XaibenchError
from xaibench.core.last_layer import last_layer
from xaibench.core.luminance import normalize_channels
from xaibench.core.output_form import OutputChoice, OutputForm
from xaibench.core.supervision import declare

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
Reshape = Callable[[Tensor], Tensor] | str


class Outputs(NamedTuple):
    """What one forward pass gives.

    ``logits`` are ``(B, K)``, ``(B, 1)`` for two classes, or ``(B, 0)`` of a model that doesn't
    classify. The others are `core.contract.OWN_WORDS`, None where a model has no such thing.
    """

    logits: Tensor
    saliency: Tensor | None = None
    class_maps: Tensor | None = None
    evidence: Tensor | None = None
    reconstruction: Tensor | None = None


class Model(nn.Module):
    """A network that may be able to classify, to show a map of its own, or to draw what it saw.

    Images go in as pixels in [0, 1]; normalization happens inside, so that covering an image
    happens in pixel space. Subclasses implement `outputs`.

    Attributes:
        cam_layer: name of the submodule whose output CAM methods read; None where there is none.
        reshape: what brings that output to ``(B, D, h, w)``, or its name; None finds out.
        trained: a model that comes trained is used as it is.
        pretrained: all but the `new_parameters` were learned before; these then learn faster.
        classifies: it has logits; other models are judged by one that has.
        all_masks: it learns from all training masks, whatever the budget: an upper bound.
        boxes_only: where masks may be seen, it is handed the boxes around their regions.
        several_labels: its own loss takes labels ``(B, K)``, too (`core.batch.Batch`).
        learns_class_masks: its loss asks for the masks of each class where there are several.
        class_saliency: its own saliency is ``(B, K, h, w)``, a map for each class.
        output_form: how its numbers are read, and `class_count` K: found by `passes.acceptance`.
        image_channels: how many it reads; 1 is the images' luminance.
        supervision: what it declares to have learned from; None leaves it to the training's record.
    """

    classifies = True
    all_masks = False
    boxes_only = False
    several_labels = False
    learns_class_masks = False
    class_saliency = False
    output_form: OutputForm | None = None
    class_count: int | None = None

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        *,
        cam_layer: str | None,
        reshape: Reshape | None = None,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
        trained: bool = False,
        pretrained: bool = False,
        image_channels: int = 0,
        output: str | int | None = None,
        supervision: str | None = None,
        share: float = 1.0,
    ) -> None:
        """Take what holds for any model; it reads as many channels as ``mean`` has, or so many."""
        super().__init__()
        self.output_choice = OutputChoice.parse(output)
        self.supervision = declare("model", supervision, share)
        self.cam_layer = cam_layer
        self.reshape = reshape
        self.trained = trained
        self.pretrained = pretrained
        self.image_channels = image_channels or len(mean)
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(-1, 1, 1), persistent=False)

    def blank(self, size: int) -> Tensor:
        """Return a black image ``(1, C, H, W)``; for one channel C is 3."""
        return torch.zeros(1, {1: 3}.get(self.image_channels, self.image_channels), size, size)

    @property
    def abilities(self) -> frozenset[str]:
        """The words of the vocabulary that only some models serve, and this one does.

        Whether there are `class_weights` behind the CAM layer only a trial can tell
        (`core.head.find_head`).
        """
        if not self.classifies:
            return frozenset()
        return CLASSIFIER_WORDS if self.cam_layer else CLASSIFIER_WORDS - LAYER_WORDS

    def __init_subclass__(cls) -> None:
        """Let a network that spells its own `normalize` with an s be heard."""
        super().__init_subclass__()
        if "normalise" in vars(cls):
            cls.normalize = cls.normalise  # type: ignore[method-assign]

    def normalize(self, images: Tensor) -> Tensor:
        """Return ``(images - mean) / std``; other channels than theirs by the means of these."""
        return normalize_channels(images, self.image_channels, self.mean, self.std)

    normalise = normalize

    def outputs(self, images: Tensor, *, saliency: bool = False) -> Outputs:
        """Run the network once; ``saliency`` asks for the model's own map, too."""
        raise NotImplementedError

    def forward(self, images: Tensor) -> Tensor:
        """Return logits ``(B, K)``."""
        return self.answer(images).logits

    def answer(self, images: Tensor, *, saliency: bool = False) -> Outputs:
        """Run `outputs`; whatever the network's numbers are, logits ``(B, K)`` come out."""
        outputs = self.outputs(images, saliency=saliency)
        form = self.output_form or OutputForm.of_logits(outputs.logits)
        return outputs._replace(logits=form.logits(outputs.logits))

    def confidences(self, logits: Tensor) -> Tensor:
        """Return confidences ``(B, K)`` of logits that `answer` gave."""
        return (self.output_form or OutputForm()).confidences(logits)

    @property
    def answering(self) -> nn.Module:
        """The part whose last layer gives the logits: all, unless another head comes behind."""
        return self

    def embed(self, images: Tensor) -> Tensor:
        """Return embeddings ``(B, D)``: what the logits' layer sees, pooled where spatial.

        Raises:
            XaibenchError: there is no such layer, or it doesn't run.
        """
        seen: list[Tensor] = []
        layer = last_layer(self.answering)
        handle = layer.register_forward_pre_hook(lambda _layer, inputs: seen.append(inputs[0]))
        try:
            self.outputs(images)
        finally:
            handle.remove()
        if not seen:
            raise XaibenchError("its last layer did not run; a model can define embed() itself.")
        return seen[-1] if seen[-1].ndim == 2 else seen[-1].mean(dim=(2, 3))  # noqa: PLR2004

    @property
    def takes_several_labels(self) -> bool:
        """Whether it can learn from several labels an image."""
        return self.several_labels or type(self).loss is Model.loss

    def new_parameters(self) -> list[nn.Parameter]:
        """Return the parameters that no pretrained weights reach: they may learn faster."""
        return []

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return the training loss under "loss", its parts by name, and the share that is right."""
        numbers = self.outputs(batch.images).logits
        return {
            "loss": cross_entropy(numbers, batch, self.output_form),
            "accuracy": accuracy(numbers, batch, self.output_form),
        }


class Classifier(Model):
    """Any network from normalized images to logits or probabilities.

    Its head was made for this dataset's classes; a frozen network learns nothing but that, and the
    rest stays in evaluation mode, so that its batch norms keep their statistics.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        cam_layer: str | None,
        head: str | None = None,
        frozen: bool = False,
        **options: Any,
    ) -> None:
        """Wrap a network.

        Args:
            network: normalized images -> logits, or what `output` says.
            cam_layer: the name, in the network, of the submodule whose output CAM methods read.
            head: the name of the part that is new; by default the last layer.
            frozen: the head alone learns.
            options: those of `Model`.
        """
        super().__init__(cam_layer=cam_layer and f"network.{cam_layer}", **options)
        self.network, self.frozen = network, frozen
        self._head = head
        if frozen:
            network.requires_grad_(requires_grad=False)
            self.head.requires_grad_()

    @property
    def head(self) -> nn.Module:
        """The part that was made for this dataset's classes."""
        # Looked up each time, as copies of the model have heads of their own.
        if self._head is None:
            return last_layer(self.network)
        return self.network.get_submodule(self._head)

    def train(self, mode: bool = True) -> Self:
        """Switch to training mode or back; of a frozen network the head alone."""
        super().train(mode)
        if self.frozen:
            self.network.eval()
            self.head.train(mode)
        return self

    def outputs(self, images: Tensor, *, saliency: bool = False) -> Outputs:
        """Run the network; it has no saliency of its own."""
        if saliency:
            raise XaibenchError("this model has no saliency map of its own.")
        return Outputs(self.output_choice.find(self.network(self.normalize(images))))

    def new_parameters(self) -> list[nn.Parameter]:
        """Return the head's parameters."""
        return list(self.head.parameters())


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Switch to evaluation mode, and leave every submodule in the mode it was in."""
    modes = {part: part.training for part in module.modules()}
    module.eval()
    try:
        yield
    finally:
        for part, mode in modes.items():
            part.training = mode
