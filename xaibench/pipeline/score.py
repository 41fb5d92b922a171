"""The scores of one method's maps, batch by batch: every metric on every map."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from xaibench.core.covering import CoveredConfidence
from xaibench.core.errors import XaibenchError
from xaibench.core.maps import OK
from xaibench.core.plugin import Bound
from xaibench.core.pooling import Spool
from xaibench.core.seeds import BatchGenerator, seed_of
from xaibench.pipeline.explain import Maps, TestBatch

NO_MASK, EMPTY_MASK, FILLED_MASK = "no mask", "empty mask", "mask not empty"
UNDEFINED, POOLED = "undefined", "pooled"
_NOT_COUNTED = {"filled": EMPTY_MASK, "empty": FILLED_MASK}


class Score(NamedTuple):
    """One value. NaN means undefined; the status tells why, or what was wrong with the map.

    ``pooled`` marks an image's part in one value of all images (`core.pooling.linearise`).
    """

    sample: str
    metric: str
    value: float
    status: str


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


class Scorer:
    """Scores the maps of one method; pooled metrics have their values at the end."""

    def __init__(self, metrics: Sequence[Bound], target_of: Callable[[Bound], str]) -> None:
        self.metrics, self._target_of = metrics, target_of
        self._files = ExitStack()
        self._spools = {
            metric.spec: self._files.enter_context(closing(Spool()))
            for metric in metrics
            if metric.plugin.traits.pool
        }
        self._waiting: dict[str, list[tuple[str, str]]] = {spec: [] for spec in self._spools}

    def close(self) -> None:
        """Drop what waits."""
        self._files.close()

    def add(self, evidence: Mapping[str, Evidence], batch: TestBatch) -> list[Score]:
        """Return the scores of a batch, from what `gather` gave; those of pooled metrics wait."""
        rows: list[Score] = []
        for metric in self.metrics:
            mine = evidence[self._target_of(metric)]
            values = _compute(metric, mine)
            if metric.spec in self._spools:
                self._keep(metric, values, mine, batch)
            else:
                rows += _label(metric, values.tolist(), mine, batch)
        return rows

    def finish(self) -> list[Score]:
        """Return the scores of all pooled metrics: each image's part in the pooled value."""
        rows: list[Score] = []
        for metric in self.metrics:
            if metric.spec in self._spools:
                values = self._spools[metric.spec].values(metric.plugin.traits.pool).tolist()
                labels = self._waiting[metric.spec]
                rows += [
                    Score(sample, metric.spec, value, POOLED if status == OK else status)
                    for (sample, status), value in zip(labels, values, strict=True)
                ]
        return rows

    def _keep(self, metric: Bound, values: Tensor, evidence: Evidence, batch: TestBatch) -> None:
        undefined = values.isnan().any(dim=1)
        marks = [math.nan if lost else 0.0 for lost in undefined.tolist()]
        labelled = list(_label(metric, marks, evidence, batch))
        hidden = undefined.new_tensor([math.isnan(score.value) for score in labelled])
        self._spools[metric.spec].add(values.masked_fill(hidden[:, None], math.nan))
        self._waiting[metric.spec] += [(score.sample, score.status) for score in labelled]


def score_batch(
    metrics: Sequence[Bound],
    evidence: Mapping[str, Evidence],
    batch: TestBatch,
    target_of: Callable[[Bound], str],
) -> list[Score]:
    """Return all scores of the only batch that there is."""
    with closing(Scorer(metrics, target_of)) as scorer:
        return scorer.add(evidence, batch) + scorer.finish()


def _label(
    metric: Bound, values: Sequence[float], evidence: Evidence, batch: TestBatch
) -> Iterator[Score]:
    """Yield each map's score; where it is undefined, its status says why."""
    uses_masks = "masks" in metric.plugin.signature.words
    counted = metric.plugin.traits.counted
    for row, (sample, given) in enumerate(zip(batch.ids, values, strict=True)):
        value, status = given, evidence.statuses[row]
        if uses_masks and not batch.annotated[row]:
            value, status = math.nan, NO_MASK
        elif math.isnan(value) and status == OK:
            filled = uses_masks and bool((batch.masks[row] > 0).any())
            left_out = uses_masks and counted == ("empty" if filled else "filled")
            status = _NOT_COUNTED[counted] if left_out else UNDEFINED
        yield Score(sample, metric.spec, value, status)


def _compute(metric: Bound, evidence: Evidence) -> Tensor:
    try:
        values = metric(evidence)
    except XaibenchError as error:
        if metric.plugin.name in str(error):
            raise
        raise XaibenchError(f"metric {metric.spec}: {error}") from error
    except Exception as error:
        raise XaibenchError(f"metric {metric.spec} failed: {error!r}") from error
    count, pooled = len(evidence.maps), metric.plugin.traits.pool is not None
    fits = isinstance(values, Tensor) and values.ndim == 1 + pooled and len(values) == count
    if not fits:
        shape = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
        wanted = f"({count}, S)" if pooled else f"({count},)"
        raise XaibenchError(
            f"metric {metric.spec} returned {shape} for {count} maps; it must return {wanted}."
        )
    found: Tensor = values
    return found


def gather(
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
    return {kind: _gather(maps[kind], batch, kind, asked(kind) if asked else None) for kind in maps}


def _gather(maps: Maps, batch: TestBatch, kind: str, asked: Asked | None) -> Evidence:
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
    )
