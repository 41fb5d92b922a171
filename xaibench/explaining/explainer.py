"""Explaining any classifier from Python, again and again."""

import logging
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from xaibench.core.completeness import TOLERANCE
from xaibench.core.contract import ATTENTION_WORDS, LAYER_WORDS
from xaibench.core.errors import XaibenchError
from xaibench.core.maps import NON_FINITE
from xaibench.core.model import Model, Reshape, evaluating
from xaibench.core.passes.allocator import keep_freed_memory
from xaibench.core.passes.engine import Engine, Precision
from xaibench.core.passes.float32 import exact_float32
from xaibench.core.passes.layers import find_cam_layer
from xaibench.core.plugin import Bound
from xaibench.core.registry import bind
from xaibench.explaining.batch import without_masks
from xaibench.explaining.inputs import (
    check_images,
    check_words,
    given_targets,
    on_device,
    predicted_classes,
    wrap,
)
from xaibench.explaining.learning import Fits, Learning, images_alone
from xaibench.explaining.questions import words_of
from xaibench.explaining.source import Explained, MapSource
from xaibench.explaining.training_set import TrainingSet
from xaibench.setup.option_values import either, listed

_log = logging.getLogger(__name__)


class SaliencyMaps(dict[str, Tensor]):
    """Saliency maps ``(B, H, W)`` by method, as they were named.

    Attributes:
        statuses: what became of each map, by method: ``ok``, or why it is all zeros.
        failures: why a method has no maps; to ask for them raises that as a `XaibenchError`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.statuses: dict[str, list[str]] = {}
        self.failures: dict[str, str] = {}

    def __missing__(self, method: str) -> Tensor:
        raise XaibenchError(self.why(method)) if method in self.failures else KeyError(method)

    def why(self, method: str) -> str:
        """Return why a method has no maps, as a sentence."""
        reason = self.failures[method]
        return reason if reason.endswith(".") else f"method {method} failed: {reason}."


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
        device: str | torch.device | None = None,
        precision: Precision = "fp32",
        fold: bool = True,
        compiled: bool = False,
        training_images: Tensor | np.ndarray | None = None,
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
            device: where to run, as for `xaibench.explain`.
            precision: ``fp32``, or ``tf32``, ``bf16`` or ``fp16``, which change maps.
            fold: fold batch norms into convolutions, in a copy.
            compiled: run long work (Score-CAM, RISE, occlusion) through ``torch.compile``.
            training_images: as for `xaibench.explain`; a method learns at the first call.
        """
        self.model, self._layer, self._output = on_device(model, device), layer, output
        self._reshape = reshape
        self._precision: Precision = precision
        self._fold, self._compiled = fold, compiled
        self._training_images, self._fits = training_images, Fits()
        self._model: Model | None = None
        self._engine: Engine | None = None

    @exact_float32()
    @torch.inference_mode(mode=False)  # whatever the caller's mode: gradients are needed
    def __call__(
        self,
        images: Tensor | np.ndarray,
        targets: Tensor | Sequence[int] | int | None = None,
        methods: Sequence[str] | str | None = None,
        *,
        method: Sequence[str] | str | None = None,
        seed: int = 0,
    ) -> SaliencyMaps:
        """Return each method's saliency maps, as `xaibench.explain` does."""
        methods = either(methods, method, "method") or ("gradcam",)
        images = check_images(images, self.model)
        named = {text: bind("method", text) for text in listed(methods)}
        engine = self._ready(images, list(named.values()))
        check_words(list(named.values()), engine.model, images, *self._known)
        session = Learning(engine, self._training(images), self._fits, seed=seed)
        found: dict[str, list[Explained]] = {text: [] for text in named}
        sources = {text: MapSource(method, found[text].append) for text, method in named.items()}
        ids, named_ones = [str(row) for row in range(len(images))], dict[str, Tensor]()
        if targets is not None:
            named_ones["label"] = given_targets(targets, len(images), engine.model)
        batch = without_masks(ids, images, named_ones, engine.predict)
        if targets is None:
            batch.choose = lambda logits: {"label": predicted_classes(logits)}
        attends = bool(words_of(named.values()) & ATTENTION_WORDS)
        session.at_once = engine.batch_size(images, graph=attends).size
        with evaluating(engine.model):
            session.walk([batch], list(sources.values()))
        return _collect(sources, found, engine.model)

    @property
    def _known(self) -> tuple[Collection[str], str]:
        """What there is of the network's training, and where there is more."""
        if self._training_images is None:
            return (), "give training_images=, or `xaibench run` it"
        return ("training_images",), "`xaibench run` it on a dataset"

    def _training(self, images: Tensor) -> TrainingSet | None:
        given = self._training_images
        return None if given is None else images_alone(check_images(given, self.model), images)

    def _ready(self, images: Tensor, methods: Sequence[Bound]) -> Engine:
        moved = self._engine is not None and self._engine.device != images.device
        if self._model is None or moved:
            keep_freed_memory()
            self._fits.clear()
            self._model = wrap(self.model, images, self._layer, self._output, self._reshape)
            self._engine = None
        unnamed = words_of(method for method in methods if not method.layer)
        needs_layer = bool(unnamed & LAYER_WORDS) and not isinstance(self.model, Model)
        if needs_layer and self._model.cam_layer is None:
            self._model.cam_layer = self._layer = find_cam_layer(self._model, images[:1])
            self._engine = None
        if self._engine is None:
            self._engine = Engine(
                self._model, precision=self._precision, fold=self._fold, full_blocks=False,
                compiled=self._compiled,
            )  # fmt: skip
        return self._engine


def _collect(
    sources: Mapping[str, MapSource], found: Mapping[str, Sequence[Explained]], model: Model
) -> SaliencyMaps:
    """Put batches together, and tell what is wrong with maps.

    Raises:
        XaibenchError: no method has any map.
    """
    answers = SaliencyMaps()
    for text, source in sources.items():
        statuses = [s for each in found[text] for s in each.maps["label"].statuses]
        broken = [str(row) for row, status in enumerate(statuses) if status == NON_FINITE]
        gap = max((each.gap or 0.0 for each in found[text]), default=0.0)
        if source.failure:
            answers.failures[text] = source.failure
        elif len(broken) == len(statuses):
            answers.failures[text] = (
                f"method {source.method.spec} returned nothing but NaN or infinity"
                f"{_saturated(model)}."
            )
        else:
            answers[text] = torch.cat([each.maps["label"].values for each in found[text]])
            answers.statuses[text] = statuses
            if broken:
                _log.warning(
                    "%s: the maps of images %s are zeros, as they hold NaN or infinity%s",
                    text,
                    ", ".join(broken),
                    _saturated(model),
                )
            if gap > TOLERANCE:
                _log.warning(
                    "%s: its attributions miss up to %.2g %% of the sum that they promise",
                    text,
                    100 * gap,
                )
    if not answers:
        raise XaibenchError(" ".join(map(answers.why, answers.failures)))
    return answers


def _saturated(model: Model) -> str:
    """Return what may be the cause and the remedy where probabilities are independent."""
    form = model.output_form
    if form is None or not (form.probabilities and form.separate):
        return ""
    return ", as where a probability is rounded to 0 or 1; let the network return its logits"
