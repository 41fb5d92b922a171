"""One recorded pass over a batch, from which every method takes what it asks for."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.nn import functional

from xaibench.core.errors import XaibenchError
from xaibench.core.layers import as_activations, named_layer
from xaibench.core.model import Model, Outputs, evaluating
from xaibench.core.seeds import BatchGenerator

# Matrix kernels treat leftover rows otherwise than full blocks. With every pass filled up to a
# multiple of four images an image's outputs are the same bits in any batch (measured on the CPU).
_BLOCK = 4
# With a single thread torch takes another kernel for 1x1 convolutions of fewer than 16 images.
_BLOCK_OF_ONE_THREAD = 16


def in_full_blocks(images: Tensor) -> Tensor:
    """Repeat the last image until the batch is a multiple of four, with one thread of sixteen."""
    one_thread = images.device.type == "cpu" and torch.get_num_threads() == 1
    missing = -len(images) % (_BLOCK_OF_ONE_THREAD if one_thread else _BLOCK)
    return torch.cat([images, images[-1:].expand(missing, -1, -1, -1)]) if missing else images


def predict(model: Model, images: Tensor) -> Tensor:
    """Return confidences ``(B, K)``, the same bits whatever the batch."""
    with torch.inference_mode():
        return functional.softmax(model(in_full_blocks(images)), dim=1)[: len(images)].float()


class Tape:
    """What one pass left behind: the trunk ran without autograd, only the head has a graph."""

    def __init__(self, model: Model, images: Tensor, words: Collection[str]) -> None:
        """Run the model once and record what ``words`` need; if they need nothing, don't run it.

        Args:
            model: a model in evaluation mode.
            images: ``(B, C, H, W)`` in [0, 1].
            words: union of the vocabulary words that the methods ask for.

        Raises:
            XaibenchError: the CAM layer does not exist, does not run, or has no spatial output.
        """
        self.model, self.images = model, images
        self._output: Tensor | None = None
        self._layer: nn.Module | None = None
        self._gradients: dict[tuple[int, ...], Tensor] = {}
        self._outputs: Outputs | None = None
        wants_layer = bool({"activations", "gradients"} & set(words))
        if not wants_layer and "saliency" not in words:
            return
        with torch.no_grad(), self._tap(wants_layer, "gradients" in words):
            self._outputs = model.outputs(in_full_blocks(images), saliency="saliency" in words)
        if wants_layer and self._output is None:
            raise XaibenchError(f"the CAM layer '{model.cam_layer}' did not run; choose another.")

    @property
    def logits(self) -> Tensor:
        """``(B, K)``, and what fills the batch up."""
        assert self._outputs is not None
        return self._outputs.logits

    @property
    def saliency(self) -> Tensor:
        """``(B, h, w)``, the model's own map."""
        assert self._outputs is not None
        assert self._outputs.saliency is not None
        return self._outputs.saliency[: len(self.images)]

    @contextmanager
    def _tap(self, wanted: bool, differentiable: bool) -> Iterator[None]:
        if not wanted:
            yield
            return
        layer = self._layer = named_layer(self.model, self.model.cam_layer or "")

        def hook(_module: nn.Module, _inputs: object, output: object) -> Tensor:
            if not isinstance(output, Tensor):
                raise XaibenchError(
                    f"the CAM layer '{self.model.cam_layer}' returns a "
                    f"{type(output).__name__}, not a tensor; choose another."
                )
            # Cloned twice: an in-place ReLU behind the layer (DenseNet) must reach neither the
            # record nor a leaf of the graph. From here on, and only from here, autograd is on.
            self._output = output.detach().clone().requires_grad_(differentiable)
            torch.set_grad_enabled(differentiable)
            return self._output.clone()

        handle = layer.register_forward_hook(hook)
        try:
            yield
        finally:
            handle.remove()

    @cached_property
    def activations(self) -> Tensor:
        """``(B, D, h, w)`` of the CAM layer."""
        assert self._output is not None
        return self._shaped(self._output.detach())

    def gradients(self, rows: Tensor, targets: Tensor) -> Tensor:
        """Return d logit[target] / d activations ``(len(rows), D, h, w)``, computed once."""
        assert self._output is not None
        question = (*rows.tolist(), *targets.tolist())
        if question in self._gradients:
            return self._gradients[question]
        with torch.enable_grad():  # the caller may have switched it off
            chosen = self.logits[rows, targets].sum()
        (gradient,) = torch.autograd.grad(
            chosen, self._output, retain_graph=True, allow_unused=True
        )
        if gradient is None:
            raise XaibenchError(
                f"the logits don't depend on the CAM layer '{self.model.cam_layer}'; "
                "choose another."
            )
        self._gradients[question] = self._shaped(gradient)[rows]
        return self._gradients[question]

    def _shaped(self, output: Tensor) -> Tensor:
        return as_activations(output, self.images, self._layer)[: len(self.images)]


@dataclass
class Question:
    """One method's vocabulary for some rows of a tape: each word is an attribute."""

    tape: Tape
    rows: Tensor
    targets: Tensor
    seeds: Sequence[int]
    all_masks: Tensor | None = None
    mean_mask: Tensor | None = None

    @property
    def images(self) -> Tensor:
        """``(B, C, H, W)``."""
        return self.tape.images[self.rows]

    @property
    def activations(self) -> Tensor:
        """``(B, D, h, w)``."""
        return self.tape.activations[self.rows]

    @property
    def gradients(self) -> Tensor:
        """``(B, D, h, w)``, computed once for all methods that ask."""
        return self.tape.gradients(self.rows, self.targets)

    @property
    def class_weights(self) -> Tensor:
        """``(B, D)``."""
        weights = self.tape.model.class_weights
        assert weights is not None
        return weights.detach()[self.targets]

    @property
    def saliency(self) -> Tensor:
        """``(B, h, w)``."""
        return self.tape.saliency[self.rows]

    @property
    def masks(self) -> Tensor:
        """``(B, H, W)`` int8."""
        assert self.all_masks is not None
        return self.all_masks[self.rows]

    @property
    def generator(self) -> BatchGenerator:
        """A fresh stream for each row."""
        return BatchGenerator(self.seeds, self.tape.images.device)

    @property
    def predict(self) -> Callable[[Tensor], Tensor]:
        """Images -> confidences ``(B, K)``."""
        return lambda images: predict(self.tape.model, images)

    @property
    def differentiate(self) -> Callable[[Tensor], Tensor]:
        """Images -> gradients of the target's logit.

        The images may be several blocks, one behind the other, of one image for each target.
        """
        return lambda images: input_gradients(self.tape.model, images, self.targets)


def input_gradients(model: Model, images: Tensor, targets: Tensor) -> Tensor:
    """Return d logit[target] / d images, ``(B, C, H, W)``."""
    blocks = len(images) // len(targets)
    with torch.enable_grad(), evaluating(model):
        leaves = in_full_blocks(images.detach()).clone().requires_grad_()
        logits = model(leaves)[: len(images)]
        chosen = logits.gather(1, targets.repeat(blocks)[:, None])
        (gradient,) = torch.autograd.grad(chosen.sum(), leaves)
    return gradient[: len(images)]
