"""The scores of one batch: every metric on one method's maps."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from torch import Tensor

from xaibench.core.covering import CoveredConfidence
from xaibench.core.errors import XaibenchError
from xaibench.core.maps import OK
from xaibench.core.plugin import Bound
from xaibench.core.seeds import BatchGenerator, seed_of
from xaibench.pipeline.explain import Maps, TestBatch

NO_MASK, EMPTY_MASK, UNDEFINED = "no mask", "empty mask", "undefined"


class Score(NamedTuple):
    """One value. NaN means undefined; the status tells why, or what was wrong with the map."""

    sample: str
    metric: str
    value: float
    status: str


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


def score_batch(
    metrics: Sequence[Bound],
    evidence: Mapping[str, Evidence],
    batch: TestBatch,
    target_of: Callable[[Bound], str],
) -> list[Score]:
    """Return one score for each sample and metric, from what `gather` gave."""
    rows: list[Score] = []
    for metric in metrics:
        kind = target_of(metric)
        values = _compute(metric, evidence[kind])
        if not isinstance(values, Tensor) or values.shape != (len(batch.ids),):
            shape = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
            raise XaibenchError(
                f"metric {metric.spec} returned {shape} for {len(batch.ids)} maps; it must return "
                f"({len(batch.ids)},)."
            )
        uses_masks = "masks" in metric.plugin.signature.words
        for row, value in enumerate(values.tolist()):
            status = evidence[kind].statuses[row]
            if uses_masks and not batch.annotated[row]:
                value, status = math.nan, NO_MASK  # noqa: PLW2901
            elif math.isnan(value) and status == OK:
                empty = uses_masks and not bool((batch.masks[row] > 0).any())
                status = EMPTY_MASK if empty else UNDEFINED
            rows.append(Score(batch.ids[row], metric.spec, value, status))
    return rows


def _compute(metric: Bound, evidence: Evidence) -> Any:
    try:
        return metric(evidence)
    except XaibenchError:
        raise
    except Exception as error:
        raise XaibenchError(f"metric {metric.spec} failed: {error!r}") from error


def gather(maps: Mapping[str, Maps], batch: TestBatch) -> dict[str, Evidence]:
    """Lay one method's maps out for scoring, by kind of target.

    Methods that are gathered before the first of them is scored share passes over covered images.
    """
    return {kind: _gather(maps[kind], batch, kind) for kind in maps}


def _gather(maps: Maps, batch: TestBatch, kind: str) -> Evidence:
    targets = batch.targets[kind]
    return Evidence(
        maps=maps.values,
        statuses=maps.statuses,
        masks=batch.masks,
        images=batch.images,
        targets=targets,
        batch=batch,
        covered_confidence=CoveredConfidence(
            batch.images, maps.values, targets, batch.predict, batch.together[kind]
        ),
    )
