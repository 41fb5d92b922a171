"""What metrics are told of one method's maps: the vocabulary that they ask by."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from xaibench.core.covering import CoveredConfidence
from xaibench.core.errors import XaibenchError
from xaibench.core.seeds import BatchGenerator, seed_of
from xaibench.explaining.batch import Enlarge, ImageBatch, Maps
from xaibench.explaining.training_set import Rows, TrainingSet
from xaibench.explaining.tuned import Tuned

Explain = Callable[..., Tensor]
"""Kind of target, images ``(B, C, H, W)`` in the places of the batch's, classes ``(B,)`` where they
aren't its targets -> maps ``(B, H, W)``."""


@dataclass(frozen=True)
class Evidence:
    """The metric vocabulary for one batch of maps: each word is an attribute."""

    maps: Tensor
    statuses: Sequence[str]
    masks: Tensor
    images: Tensor
    targets: Tensor
    batch: ImageBatch
    covered_confidence: CoveredConfidence
    again: Callable[..., Tensor] | None = None
    randomized: Callable[[], Tensor] | None = None
    training: TrainingSet | None = None
    threshold: float | None = None
    enlarge: Enlarge | None = None
    row: int | None = None

    def alone(self, row: int, maps: Tensor, masks: Tensor) -> "Evidence":
        """Return one row's evidence, with maps and masks in the form in which they are compared."""
        row = row if self.row is None else self.row
        return replace(self, maps=maps, masks=masks, row=row)

    def _mine(self, values: Tensor) -> Tensor:
        return values if self.row is None else values[self.row : self.row + 1]

    @property
    def predict(self) -> Callable[[Tensor], Tensor]:
        """Images -> confidences ``(B, K)``."""
        return self.batch.predict

    @property
    def respond(self) -> Callable[[Tensor], Tensor]:
        """Images -> logits ``(B, K)``."""
        if self.batch.respond is None:
            raise XaibenchError("it asks for logits: that needs a network, not maps alone.")
        return self.batch.respond

    @property
    def generator(self) -> BatchGenerator:
        """A fresh stream for each sample: all methods are scored under the same noise."""
        return BatchGenerator(
            [seed_of("score", each) for each in self.batch.ids], self.images.device
        )

    @property
    def confidence(self) -> Tensor:
        """``(B,)`` of the target on the untouched images."""
        return _of_target(self.batch.confidences, self.targets)

    @property
    def found(self) -> Tensor:
        """``(B,)`` bool."""
        if self.batch.finds is None:
            return self._mine(self.batch.confidences.argmax(dim=1) == self.targets)
        return self._mine(_of_target(self.batch.finds, self.targets))

    @property
    def other_classes(self) -> Tensor:
        """``(B,)`` numbers."""
        shown = self.batch.shown
        if shown is None:
            return self._mine(torch.zeros_like(self.targets))
        return self._mine(shown.sum(dim=1) - _of_target(shown, self.targets).long())

    @property
    def explain(self) -> Callable[..., Tensor]:
        """Images ``(B, C, H, W)``, and classes ``(B,)`` where others -> maps ``(B, H, W)``."""
        if self.again is None:
            raise XaibenchError("it explains other images, too: only a run can, not maps alone.")
        return self.again

    @property
    def explain_randomized(self) -> Callable[[], Tensor]:
        """Gives maps ``(B, H, W)`` by the network with random weights."""
        if self.randomized is None:
            raise XaibenchError("it randomizes the network: only a run can, not maps alone.")
        return self.randomized

    @property
    def training_images(self) -> Rows:
        """``(N, C, H, W)``, read by rows."""
        return self._training.images

    @property
    def training_labels(self) -> Tensor:
        """``(N,)``."""
        return self._training.labels

    @property
    def _training(self) -> TrainingSet:
        if self.training is None:
            raise XaibenchError("it asks for training images: only a run on a dataset has them.")
        return self.training

    @property
    def tuned_threshold(self) -> float:
        """Share of the maximum, tuned on validation images."""
        if self.threshold is None:
            raise XaibenchError("no threshold was tuned: that needs maps of validation images.")
        return self.threshold


def _of_target(values: Tensor, targets: Tensor) -> Tensor:
    """Return of each image what is known ``(B, K)`` of the class explained, ``(B,)``."""
    return values.gather(1, targets[:, None])[:, 0]


def evidence_of(
    maps: Mapping[str, Maps],
    batch: ImageBatch,
    explain: Explain | None = None,
    tuned: Tuned | None = None,
    randomized: Callable[[str], Tensor] | None = None,
    training: TrainingSet | None = None,
) -> dict[str, Evidence]:
    """Lay one method's maps out for scoring, by kind of target.

    Methods that are listed before the first of them is scored share passes over covered images.

    Args:
        maps: finished, by kind of target.
        batch: what they explain.
        explain: asks the method about other images, where it is at hand.
        tuned: thresholds that were tuned for it, where any were.
        randomized: asks the method about a network with random weights, for a kind of target.
        training: the training images, where there are any.
    """
    return {
        kind: replace(
            _evidence(each, batch.unit(kind), kind, explain, tuned and tuned.of(kind)),
            randomized=randomized and partial(randomized, kind),
            training=training,
        )
        for kind, each in maps.items()
        if each.statuses
    }


def _evidence(
    maps: Maps, batch: ImageBatch, kind: str, explain: Explain | None, threshold: float | None
) -> Evidence:
    return Evidence(
        maps=maps.values,
        statuses=maps.statuses,
        masks=batch.masks,
        images=batch.images,
        targets=batch.targets[kind],
        batch=batch,
        covered_confidence=CoveredConfidence(
            batch.images,
            maps.values,
            batch.targets[kind],
            batch.predict,
            batch.together[kind],
            untouched=lambda: batch.confidences,
        ),
        again=explain and partial(explain, kind),
        threshold=threshold,
        enlarge=maps.enlarge,
    )
