"""The method vocabulary for some rows of a tape: each word is an attribute."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from xaibench.core.completeness import gaps
from xaibench.core.errors import XaibenchError
from xaibench.core.passes.attentions import Attentions
from xaibench.core.passes.biases import sum_over_biases
from xaibench.core.passes.cuts import refuse_cuts
from xaibench.core.passes.engine import Engine
from xaibench.core.passes.head import Head, find_head, run_head
from xaibench.core.passes.layer_multipliers import find_layer_multipliers
from xaibench.core.passes.several_layers import LayerPass, record_layers
from xaibench.core.passes.tape import Tape
from xaibench.core.seeds import BatchGenerator

Copies = Callable[[int, int], Tensor]
WeighedCopies = Callable[[int, int], tuple[Tensor, Tensor]]


class Known(NamedTuple):
    """What of a run a method may ask for beside the images: None where there is no run.

    Attributes:
        mean_mask: ``(H, W)``, the average of the training masks that may be seen.
        training: the training images, labels and masks, each to be read by rows.
        fitted: what the method's fit has learned for this model.
    """

    mean_mask: Tensor | None = None
    training: Any = None
    fitted: Mapping[str, Tensor] | None = None


@dataclass
class Question:
    """What one method may ask about some rows of a tape."""

    tape: Tape
    rows: Tensor
    targets: Tensor
    seeds: Sequence[int]
    all_masks: Tensor | None = None
    known: Known = field(default_factory=Known)

    @property
    def _engine(self) -> Engine:
        return self.tape.engine

    @property
    def images(self) -> Tensor:
        """``(B, C, H, W)``."""
        return self.tape.images[self.rows]

    @property
    def logits(self) -> Tensor:
        """``(B, K)``."""
        return self.tape.logits.detach()[self.rows]

    @property
    def activations(self) -> Tensor:
        """``(B, D, h, w)``."""
        return self.tape.activations[self.rows]

    @property
    def gradients(self) -> Tensor:
        """``(B, D, h, w)``, computed once for all methods that ask."""
        return self.tape.gradients(self.rows, self.targets)

    @property
    def input_gradients(self) -> Tensor:
        """``(B, C, H, W)``, computed once for all methods that ask."""
        return self.tape.input_gradients(self.rows, self.targets)

    @property
    def class_weights(self) -> Tensor:
        """``(B, D)``."""
        weights = self.head.weights
        if weights is None:
            raise XaibenchError("the logits are no linear map of the pooled activations.")
        return weights[self.targets]

    @property
    def saliency(self) -> Tensor:
        """``(B, h, w)``."""
        return self.tape.saliency(self.rows, self.targets)

    @property
    def class_maps(self) -> Tensor:
        """``(B, 1 + K, h, w)``."""
        return self.tape.own("class_maps")[self.rows]

    @property
    def evidence(self) -> Tensor:
        """``(B, K, h, w)``."""
        return self.tape.own("evidence")[self.rows]

    @property
    def reconstruction(self) -> Tensor:
        """``(B, C, H, W)``."""
        return self.tape.own("reconstruction")[self.rows]

    @property
    def masks(self) -> Tensor:
        """``(B, H, W)`` int8."""
        assert self.all_masks is not None
        return self.all_masks[self.rows]

    @property
    def mean_mask(self) -> Tensor | None:
        """``(H, W)``."""
        return self.known.mean_mask

    @property
    def training_images(self) -> Any:
        """``(N, C, H, W)``, read by rows."""
        return self.known.training.images

    @property
    def training_labels(self) -> Any:
        """``(N,)``."""
        return self.known.training.labels

    @property
    def training_masks(self) -> Any:
        """``(N, H, W)``, read by rows; those that may not be seen are zeros."""
        return self.known.training.masks

    @property
    def fitted(self) -> Mapping[str, Tensor] | None:
        """What the method's fit has learned."""
        return self.known.fitted

    @property
    def generator(self) -> BatchGenerator:
        """A fresh stream for each row."""
        return BatchGenerator(self.seeds, self.tape.images.device)

    @property
    def head(self) -> Head:
        """What is known of the head."""
        return find_head(self._engine.model, self.tape.images)

    @property
    def attentions(self) -> Attentions:
        """Of these rows, with gradients of the targets' logits."""
        seen = self.tape.attended
        return Attentions(self._engine, self.images, self.targets, attended=seen)

    @property
    def exit_attentions(self) -> Attentions:
        """Of these rows, with gradients of each layer's own logits."""
        return Attentions(self._engine, self.images, self.targets, early=True)

    @property
    def network(self) -> nn.Module:
        """The model itself, for other libraries, most of whose methods take gradients."""
        refuse_cuts(self._engine.model, self.images)
        return self._engine.model

    @property
    def predict(self) -> Callable[[Tensor], Tensor]:
        """Images -> confidences ``(B, K)``."""
        return self._engine.predict

    def layers(self, *names: str) -> list[LayerPass]:
        """Return several layers' activations and gradients, from one pass; see `record_layers`."""
        return record_layers(self._engine, self.images, self.targets, names)

    def derive(self, weights: Tensor) -> Tensor:
        """Return the derivative ``(B, D, h, w)`` of the logits weighed by ``(B, K)``."""
        return self.tape.derive(self.rows, weights)

    def differentiate(
        self, images: Tensor, *, guided: bool = False, attnlrp: bool = False
    ) -> Tensor:
        """Return the gradients of the target's logit, ``(n, C, H, W)``, by other rules if asked.

        There may be several images for each target, one behind the other.
        """
        copies = len(images) // len(self.targets)
        targets = self.targets.repeat_interleave(copies)
        return self._engine.gradients(images, targets, guided=guided, attnlrp=attnlrp)

    def multipliers(self, starts: Tensor) -> tuple[Tensor, Tensor]:
        """Return DeepLIFT's multipliers ``(B, C, H, W)`` and the logit's change ``(B,)``."""
        return self._engine.multipliers(self.images, starts, self.targets)

    def layer_multipliers(self, starts: Tensor) -> tuple[Tensor, Tensor]:
        """Return the activations' multipliers ``(B, D, h, w)``, and the logit's change ``(B,)``."""
        seen = self.images, self.activations
        return find_layer_multipliers(self._engine, *seen, starts, self.targets)

    def respond(self, row: int, copies: Copies, count: int, *, confidence: bool = False) -> Tensor:
        """Return the target's logit, or its confidence, on ``count`` copies of an image."""
        logits = self._engine.stream(copies, count, self.tape.images)
        values = self._engine.model.confidences(logits) if confidence else logits
        return values[:, self.targets[row]]

    def target_logits(self, images: Tensor) -> Tensor:
        """Return the target's logit ``(n,)``; several images for each target may follow another."""
        copies = len(images) // len(self.targets)
        targets = self.targets.repeat_interleave(copies)
        return self._engine.logits(images).gather(1, targets[:, None])[:, 0]

    def promise(self, attributions: Tensor, owed: Tensor) -> None:
        """Note by how much signed attributions ``(n, ...)`` miss the sums ``(n,)`` they promise."""
        self._engine.note_gaps(gaps(attributions, owed))

    def integrate(self, row: int, copies: WeighedCopies, count: int) -> Tensor:
        """Return the weighed sum ``(C, H, W)`` of the target's gradients on copies of an image."""

        def derive(first: int, last: int) -> Tensor:
            images, weights = copies(first, last)
            gradients = self._engine.gradients(images, self.targets[row].expand(len(images)))
            return (gradients * weights).sum(dim=0)

        size = self._engine.batch_size(self.tape.images, graph=True)
        return torch.stack(list(size.over(count, derive))).sum(dim=0)

    def try_head(self, row: int, variants: Copies, count: int) -> Tensor:
        """Return the target's logit ``(count,)`` on variants of an image's activations."""
        image = self.images[row : row + 1]
        return run_head(self._engine, image, variants, count)[:, self.targets[row]]

    def record(self, row: int, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return activations and the target's gradients ``(n, D, h, w)`` of copies of an image."""
        size = self._engine.batch_size(self.tape.images)

        def look(first: int, last: int) -> tuple[Tensor, Tensor]:
            tape = Tape(self._engine, images[first:last], {"activations", "gradients"})
            targets = self.targets[row].expand(last - first)
            rows = torch.arange(last - first, device=images.device)
            return tape.activations, tape.gradients(rows, targets)

        parts = list(size.over(len(images), look))
        return torch.cat([part[0] for part in parts]), torch.cat([part[1] for part in parts])

    def sum_over_biases(
        self,
        term: Callable[[Tensor, Tensor], Tensor],
        promise: Callable[[Tensor, Tensor], None] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return input gradients, and ``term(gradient, bias)`` summed over all biases."""
        return sum_over_biases(self._engine, self.images, self.targets, term, promise)
