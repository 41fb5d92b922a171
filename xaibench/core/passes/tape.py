"""One recorded pass over a batch, from which every method takes what it asks for."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import cached_property

import torch
from torch import Tensor, nn

from xaibench.core.contract import OWN_WORDS
from xaibench.core.errors import XaibenchError
from xaibench.core.model import Outputs
from xaibench.core.passes.attentions import Attended, attend
from xaibench.core.passes.cuts import refuse_cuts
from xaibench.core.passes.device import now
from xaibench.core.passes.engine import Engine
from xaibench.core.passes.float32 import exact_float32
from xaibench.core.passes.layer_names import named_layer
from xaibench.core.passes.layers import cam_layer_of
from xaibench.core.passes.layouts import AxisLayout
from xaibench.core.passes.precision import at_least_single

# What a method must name for a pass to be recorded, and what for its head to keep a graph.
_NEED_LAYER = frozenset({"activations", "gradients", "derive"})
_NEED_GRAPH = frozenset({"gradients", "derive"})
_NEED_OUTPUTS = OWN_WORDS | {"logits"}
RECORDED_WORDS = _NEED_LAYER | _NEED_OUTPUTS


class Tape:
    """What one pass left behind: the trunk ran without autograd, only the head has a graph."""

    @exact_float32()
    def __init__(self, engine: Engine, images: Tensor, words: Collection[str]) -> None:
        """Run the model once and record what ``words`` need; if they need nothing, don't run it.

        Args:
            engine: the model's.
            images: ``(B, C, H, W)`` in [0, 1].
            words: union of the vocabulary words that the methods ask for.

        Raises:
            XaibenchError: the CAM layer does not exist, does not run, or has no spatial output.
        """
        self.engine, self.images = engine, images
        self._output: Tensor | None = None
        self._layout: AxisLayout | None = None
        self._gradients: dict[tuple[object, ...], tuple[Tensor, int, float]] = {}
        self._outputs: Outputs | None = None
        self.attended: Attended | None = None
        """The same pass with its attention opened, where nothing else but logits was asked for."""
        asked = set(words)
        few = len(images) <= engine.batch_size(images, graph=True).size
        if few and "attentions" in asked and asked & RECORDED_WORDS == {"logits"}:
            self.attended = attend(engine, images)
            self._outputs = Outputs(self.attended.logits)
            return
        if not asked & RECORDED_WORDS:
            return
        wants_layer = bool(asked & _NEED_LAYER)
        if wants_layer:
            self._layout = cam_layer_of(engine.model, images).layout
        network = engine.fast(images)
        graph, saliency = bool(asked & _NEED_GRAPH), bool(asked & OWN_WORDS)
        with torch.no_grad(), self._tap(network, wants_layer, graph), engine.casting():
            filled = engine.batch_size(images).fill(images)
            self._outputs = network.answer(filled, saliency=saliency)
        engine.seen += len(images)
        if wants_layer and self._output is None:
            raise XaibenchError(f"the CAM layer '{network.cam_layer}' did not run; choose another.")
        if self._output is not None and len(self._output) != len(filled):
            raise XaibenchError(
                f"the CAM layer '{network.cam_layer}' runs on parts of a batch by turns, which "
                "leaves images without a map; let it run once, on all of them."
            )

    @property
    def logits(self) -> Tensor:
        """``(B, K)``, and what fills the batch up."""
        assert self._outputs is not None
        return at_least_single(self._outputs.logits)

    def own(self, word: str) -> Tensor:
        """Return what only some models have, ``(B, ...)``: their saliency, reconstruction, ..."""
        found: Tensor = getattr(self._outputs, word)
        return at_least_single(found[: len(self.images)])

    def saliency(self, rows: Tensor, targets: Tensor) -> Tensor:
        """Return the model's own maps of some rows, those of their targets if there are several."""
        found = self.own("saliency")[rows]
        if not self.engine.model.class_saliency:
            return found
        return found.take_along_dim(targets[:, None, None, None], dim=1)[:, 0]

    @contextmanager
    def _tap(self, network: nn.Module, wanted: bool, differentiable: bool) -> Iterator[None]:
        if not wanted:
            yield
            return
        name = self.engine.model.cam_layer or ""
        layer = named_layer(network, name)

        def hook(_module: nn.Module, _inputs: object, output: object) -> Tensor:
            if not isinstance(output, Tensor):
                raise XaibenchError(
                    f"the CAM layer '{name}' returns a {type(output).__name__}, not a tensor; "
                    "choose another."
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

        def compute() -> Tensor:
            weights = torch.zeros_like(self.logits[: len(rows)])
            return self.derive(rows, weights.scatter(1, targets[:, None], 1))

        return self._once("layer", rows, targets, compute)

    def input_gradients(self, rows: Tensor, targets: Tensor) -> Tensor:
        """Return d logit[target] / d images ``(len(rows), C, H, W)``, computed once."""

        def compute() -> Tensor:
            return self.engine.gradients(self.images[rows], targets)

        return self._once("images", rows, targets, compute)

    def _once(
        self, kind: str, rows: Tensor, targets: Tensor, compute: Callable[[], Tensor]
    ) -> Tensor:
        question = (kind, *rows.tolist(), *targets.tolist())
        engine, known = self.engine, self._gradients.get(question)
        if known is None:
            passes, seconds = engine.seen, now(engine.device)
            gradients = compute()
            spent = engine.seen - passes, now(engine.device) - seconds
            self._gradients[question] = gradients, *spent
            return gradients
        gradients, passes, seconds = known
        engine.spared_passes += passes
        engine.spared_seconds += seconds
        return gradients

    @exact_float32()
    def derive(self, rows: Tensor, weights: Tensor) -> Tensor:
        """Return the derivative ``(rows, D, h, w)`` of the logits, weighed ``(rows, K)``."""
        assert self._output is not None
        with torch.enable_grad():  # the caller may have switched it off
            chosen = (self.logits[rows] * weights).sum()
        gradient = None
        if chosen.requires_grad:
            with self.engine.deriving():
                (gradient,) = torch.autograd.grad(
                    chosen, self._output, retain_graph=True, allow_unused=True
                )
        if gradient is None:
            raise XaibenchError(
                f"the logits don't depend on the CAM layer '{self.engine.model.cam_layer}', or the "
                "network switches gradients off; choose another."
            )
        refuse_cuts(self.engine.model, self.images, self.engine.model.cam_layer)
        return self._shaped(gradient)[rows]

    def _shaped(self, output: Tensor) -> Tensor:
        assert self._layout is not None
        activations = self._layout.activations(output)
        return at_least_single(activations[: len(self.images)])
