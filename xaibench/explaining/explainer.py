"""Explaining any classifier from Python, again and again."""

import logging
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from xaibench.core.completeness import TOLERANCE
from xaibench.core.contract import LAYER_WORDS
from xaibench.core.errors import XaibenchError
from xaibench.core.maps import NON_FINITE
from xaibench.core.model import Model, Reshape, evaluating
from xaibench.core.passes.allocator import keep_freed_memory
from xaibench.core.passes.engine import Engine, Precision
from xaibench.core.passes.layers import find_cam_layer
from xaibench.core.passes.tape import Tape
from xaibench.core.plugin import Bound
from xaibench.core.registry import bind
from xaibench.explaining.explain import TestBatch, ask, finish_maps, words_of
from xaibench.explaining.inputs import check_images, check_words, find_targets, wrap
from xaibench.setup.option_values import listed

_log = logging.getLogger(__name__)


class Explainer:
    """Explains one classifier, and keeps what it found out about it.

    The first call looks for the CAM layer and folds batch norms into convolutions (in a copy); the
    following ones only run passes. Weights that change later go unnoticed: make a new explainer.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        layer: str | None = None,
        reshape: Reshape | None = None,
        output: str | int | None = None,
        precision: Precision = "fp32",
        fold: bool = True,
        compiled: bool = False,
    ) -> None:
        """Take any torch classifier; it is left as it was, no hooks, gradients or modes changed.

        Args:
            model: as `xaibench.explain` takes it.
            layer: the CAM layer's name; without it families of networks have theirs in a table
                (docs/howto/choose_a_layer.md), others the last map that all logits depend on.
            reshape: brings the layer's output to ``(B, D, h, w)`` where that form isn't found: a
                function that moves numbers alone, ``channels_first``, ``channels_last``, or
                ``tokens=HxW``.
            output: as for `xaibench.explain`.
            precision: ``fp32``, or ``bf16`` or ``fp16``, which change maps.
            fold: fold batch norms into convolutions, in a copy.
            compiled: run long work (Score-CAM, RISE, occlusion) through ``torch.compile``.
        """
        self.model, self._layer, self._output = model, layer, output
        self._reshape = reshape
        self._precision: Precision = precision
        self._fold, self._compiled = fold, compiled
        self._model: Model | None = None
        self._engine: Engine | None = None

    @torch.inference_mode(mode=False)  # whatever the caller's mode: gradients are needed
    def __call__(
        self,
        images: Tensor | np.ndarray,
        targets: Tensor | Sequence[int] | int | None = None,
        methods: Sequence[str] | str = ("gradcam",),
        *,
        seed: int = 0,
    ) -> dict[str, Tensor]:
        """Return each method's saliency maps, as `xaibench.explain` does."""
        images = check_images(images, self.model)
        named = {text: bind("method", text) for text in listed(methods)}
        bound = list(named.values())
        engine = self._ready(images, bound)
        check_words(bound, engine.model, images)

        def explain(first: int, last: int) -> list[Tensor]:
            rows = slice(first, last)
            tape = Tape(engine, images[rows], words_of(bound) | {"logits"})
            return self._explain(tape, targets, bound, rows, count=len(images), seed=seed)

        with evaluating(engine.model):
            parts = list(engine.batch_size(images).over(len(images), explain))
        return {
            text: torch.cat(maps)
            for text, maps in zip(named, zip(*parts, strict=True), strict=True)
        }

    def _ready(self, images: Tensor, methods: Sequence[Bound]) -> Engine:
        moved = self._engine is not None and self._engine.device != images.device
        if self._model is None or moved:
            keep_freed_memory()
            self._model = wrap(self.model, images, self._layer, self._output, self._reshape)
            self._engine = None
        needs_layer = bool(words_of(methods) & LAYER_WORDS) and not isinstance(self.model, Model)
        if needs_layer and self._model.cam_layer is None:
            self._model.cam_layer = self._layer = find_cam_layer(self._model, images[:1])
            self._engine = None
        if self._engine is None:
            self._engine = Engine(
                self._model, precision=self._precision, fold=self._fold, full_blocks=False,
                compiled=self._compiled,
            )  # fmt: skip
        return self._engine

    @staticmethod
    def _explain(
        tape: Tape, targets: object, methods: Sequence[Bound], rows: slice, *, count: int, seed: int
    ) -> list[Tensor]:
        images = tape.images
        logits = tape.logits[: len(images)].detach()
        chosen = find_targets(targets, logits, rows, count)
        ids = [str(rows.start + row) for row in range(len(images))]
        masks = torch.zeros_like(images[:, 0], dtype=torch.int8)
        batch = TestBatch(
            ids, images, masks, [False] * len(ids), {"label": chosen}, tape.engine.predict
        )
        found = []
        for method in methods:
            tape.engine.gap = None
            raw = {"label": ask(method, tape, batch, "label", seed=seed, mean_mask=None)}
            if (tape.engine.gap or 0.0) > TOLERANCE:
                _log.warning(
                    "%s: its attributions miss up to %.2g %% of the sum that they promise",
                    method.spec, 100 * (tape.engine.gap or 0.0),
                )  # fmt: skip
            maps = finish_maps(method, raw, batch)["label"]
            if NON_FINITE in maps.statuses:
                raise XaibenchError(
                    f"method {method.spec}: the map of image "
                    f"{rows.start + maps.statuses.index(NON_FINITE)} holds infinite numbers or NaN"
                    f"{_saturated(tape.engine.model)}."
                )
            found.append(maps.values)
        return found


def _saturated(model: Model) -> str:
    """Return what may be the cause and the remedy where probabilities stand alone."""
    form = model.output_form
    if form is None or not (form.probabilities and form.separate):
        return ""
    return ", as where a probability is rounded to 0 or 1; let the network return its logits"
