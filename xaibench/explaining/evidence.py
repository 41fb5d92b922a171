"""What metrics are told of one method's maps: the vocabulary that they ask by."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from xaibench.core.covering import CoveredConfidence
from xaibench.core.errors import XaibenchError
from xaibench.core.seeds import BatchGenerator, seed_of
from xaibench.explaining.explain import Enlarge, Maps, TestBatch


@dataclass(frozen=True)
class Asked:
    """What of the metric vocabulary only the method itself can give."""

    explain: Callable[[Tensor], Tensor]
    tuned_threshold: float | None = None


@dataclass(frozen=True)
class Evidence:
    """The metric vocabulary for one batch of maps: each word is an attribute."""

    maps: Tensor
    statuses: Sequence[str]
    masks: Tensor
    images: Tensor
    targets: Tensor
    batch: TestBatch
    covered_confidence: CoveredConfidence
    asked: Asked | None = None
    enlarge: Enlarge | None = None

    @property
    def predict(self) -> Callable[[Tensor], Tensor]:
        """Images -> confidences ``(B, K)``."""
        return self.batch.predict

    @property
    def generator(self) -> BatchGenerator:
        """A fresh stream for each sample: all methods are scored under the same noise."""
        return BatchGenerator([seed_of("score", each) for each in self.batch.ids],
                              self.images.device)  # fmt: skip

    @property
    def confidence(self) -> Tensor:
        """``(B,)`` of the target on the untouched images."""
        return self.batch.confidences.gather(1, self.targets[:, None])[:, 0]

    @property
    def explain(self) -> Callable[[Tensor], Tensor]:
        """Images ``(B, C, H, W)`` in the places of the batch's -> maps ``(B, H, W)``."""
        if self.asked is None:
            raise XaibenchError("it explains other images, too: only a run can, not maps alone.")
        return self.asked.explain

    @property
    def tuned_threshold(self) -> float:
        """Share of the maximum, tuned on validation images."""
        if self.asked is None or self.asked.tuned_threshold is None:
            raise XaibenchError("no threshold was tuned: that needs maps of validation images.")
        return self.asked.tuned_threshold


def evidence_of(
    maps: Mapping[str, Maps],
    batch: TestBatch,
    asked: Callable[[str], Asked] | None = None,
) -> dict[str, Evidence]:
    """Lay one method's maps out for scoring, by kind of target.

    Methods that are gathered before the first of them is scored share passes over covered images.

    Args:
        maps: finished, by kind of target.
        batch: what they explain.
        asked: what the method itself can give for a kind of target, where it is at hand.
    """
    return {
        kind: _evidence(maps[kind], batch, kind, asked(kind) if asked else None) for kind in maps
    }


def _evidence(maps: Maps, batch: TestBatch, kind: str, asked: Asked | None) -> Evidence:
    targets = batch.targets[kind]
    return Evidence(
        maps=maps.values,
        statuses=maps.statuses,
        masks=batch.masks,
        images=batch.images,
        targets=targets,
        batch=batch,
        covered_confidence=CoveredConfidence(
            batch.images,
            maps.values,
            targets,
            batch.predict,
            batch.together[kind],
            untouched=lambda: batch.confidences,
        ),
        asked=asked,
        enlarge=maps.enlarge,
    )
