"""The scores of one method's maps, batch by batch: every metric on every map."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from xaibench.core.errors import XaibenchError
from xaibench.core.maps import OK
from xaibench.core.plugin import Bound
from xaibench.core.pooling import Spool
from xaibench.explaining.evidence import Evidence
from xaibench.explaining.failures import PluginError, blaming
from xaibench.explaining.original_size import ask_at_chosen_size
from xaibench.setup.several import EACH

NO_MASK, EMPTY_MASK, FILLED_MASK = "no mask", "empty mask", "mask not empty"
LOST_MASK = "mask lost in resizing"
UNDEFINED, POOLED = "undefined", "pooled"
Found = Mapping[tuple[str, str], Tensor]
"""What metrics find of a batch, by their specs and kinds of target."""
_NOT_COUNTED = {"filled": EMPTY_MASK, "empty": FILLED_MASK}


class Score(NamedTuple):
    """One value. NaN means undefined; the status tells why, or what was wrong with the map.

    ``pooled`` marks an image's part in one value of all images (`core.pooling.linearize`).
    ``target`` names the class that the map explains; it is empty where classes have no names.
    """

    sample: str
    metric: str
    value: float
    status: str
    target: str = ""


@dataclass
class Waiting:
    """What a pooled metric found of some images, until all are there.

    Attributes:
        labels: sample, status and target of each image.
        statistics: of each image, ``(B, S)``; a row of NaN is undefined.
    """

    labels: list[tuple[str, str, str]] = field(default_factory=list)
    statistics: list[Tensor] = field(default_factory=list)


class Scorer:
    """Scores the maps of one method; pooled metrics have their values at the end.

    Attributes:
        waiting: what pooled metrics found so far, by their specs.
        failed: why metrics failed, by their specs; the others go on without them.
    """

    def __init__(self, metrics: Sequence[Bound], target_of: Callable[[Bound], str]) -> None:
        self.metrics, self._target_of = metrics, target_of
        self.waiting = {metric.spec: Waiting() for metric in metrics if metric.plugin.traits.pool}
        self.failed: dict[str, PluginError] = {}

    def measure(self, evidence: Mapping[str, Evidence]) -> Found:
        """Return what metrics find of a batch, by specs and targets; it stays on the device.

        Raises:
            OutOfMemoryError: memory ran out; nothing is kept then.
        """
        found: dict[tuple[str, str], Tensor] = {}
        for metric in self.metrics:
            for kind in self._kinds(metric, evidence):
                if metric.spec in self.failed:
                    break
                try:
                    found[metric.spec, kind] = _compute(metric, evidence[kind])
                except PluginError as error:
                    self.failed[metric.spec] = error
        return found

    def _kinds(self, metric: Bound, evidence: Mapping[str, Evidence]) -> Sequence[str]:
        """Return which targets a metric scores: every one where each class has its own."""
        target = self._target_of(metric)
        return tuple(evidence) if target == EACH else (target,)

    def add(self, found: Found, evidence: Mapping[str, Evidence]) -> list[Score]:
        """Return a batch's scores, of what `measure` found; those of pooled metrics wait."""
        rows: list[Score] = []
        known = _as_lists({key: v for key, v in found.items() if key[0] not in self.waiting})
        for metric in self.metrics:
            for kind in self._kinds(metric, evidence):
                key = metric.spec, kind
                if key in known:
                    rows += _label(metric, known[key], evidence[kind])
                elif key in found:
                    self._keep(metric, found[key], evidence[kind])
        return rows

    def pooled(self) -> Iterator[Score]:
        """Yield the scores of pooled metrics, once all images are there."""
        for metric in self.metrics:
            if metric.spec in self.waiting and metric.spec not in self.failed:
                yield from pool_scores(metric, [self.waiting[metric.spec]])

    def _keep(self, metric: Bound, values: Tensor, evidence: Evidence) -> None:
        undefined = values.isnan().any(dim=1)
        marks = [math.nan if lost else 0.0 for lost in undefined.tolist()]
        labeled = list(_label(metric, marks, evidence))
        hidden = undefined.new_tensor([math.isnan(score.value) for score in labeled])
        waiting = self.waiting[metric.spec]
        waiting.statistics.append(values.masked_fill(hidden[:, None], math.nan).float().cpu())
        waiting.labels += [(score.sample, score.status, score.target) for score in labeled]


def pool_scores(metric: Bound, parts: Iterable[Waiting]) -> Iterator[Score]:
    """Yield the scores of a pooled metric: each image's part in the pooled value.

    Args:
        metric: a pooled one.
        parts: what it found, some images at a time; it is read once, so that memory stays flat.
    """
    labels: list[tuple[str, str, str]] = []
    with closing(Spool()) as spool:
        for part in parts:
            labels += part.labels
            for statistics in part.statistics:
                spool.add(statistics)
        values = spool.values(metric.plugin.traits.pool).tolist()
    for (sample, status, target), value in zip(labels, values, strict=True):
        yield Score(sample, metric.spec, value, POOLED if status == OK else status, target)


def score_batch(
    metrics: Sequence[Bound],
    evidence: Mapping[str, Evidence],
    target_of: Callable[[Bound], str],
) -> list[Score]:
    """Return all scores of the only batch that there is.

    Raises:
        XaibenchError: a metric failed.
    """
    scorer = Scorer(metrics, target_of)
    rows = scorer.add(scorer.measure(evidence), evidence)
    for error in scorer.failed.values():
        raise error
    return [*rows, *scorer.pooled()]


def _as_lists(found: Found) -> dict[tuple[str, str], list[float]]:
    """Return values on the CPU; what lies on the device in one copy, as each waits for it."""
    away = [key for key, values in found.items() if not values.is_cpu]
    copied = torch.cat([found[key] for key in away]).tolist() if away else []
    lists = {key: values.tolist() for key, values in found.items() if values.is_cpu}
    for key in away:
        lists[key], copied = copied[: len(found[key])], copied[len(found[key]) :]
    return lists


def _label(metric: Bound, values: Sequence[float], evidence: Evidence) -> Iterator[Score]:
    """Yield each map's score; where it is undefined, its status says why."""
    batch = evidence.batch
    names = [batch.classes[target] for target in evidence.targets.tolist() if batch.classes]
    uses_masks = "masks" in metric.plugin.signature.words
    counted = metric.plugin.traits.counted
    for row, (sample, given) in enumerate(zip(batch.ids, values, strict=True)):
        value, status = given, evidence.statuses[row]
        if uses_masks and not batch.annotated[row]:
            value, status = math.nan, NO_MASK
        elif uses_masks and any(batch.lost_masks[row : row + 1]):
            value, status = math.nan, LOST_MASK
        elif math.isnan(value) and status == OK:
            filled = uses_masks and batch.is_filled(row)
            left_out = uses_masks and counted == ("empty" if filled else "filled")
            status = _NOT_COUNTED[counted] if left_out else UNDEFINED
        yield Score(sample, metric.spec, value, status, names[row] if names else "")


def _compute(metric: Bound, evidence: Evidence) -> Tensor:
    count, pooled = len(evidence.maps), metric.plugin.traits.pool is not None
    try:
        with blaming(f"metric {metric.spec}", count):
            values = ask_at_chosen_size(metric, evidence)
    except PluginError as error:
        cause = error.__cause__
        if not isinstance(cause, XaibenchError):
            raise PluginError(f"metric {metric.spec} failed: {error}") from cause
        named = metric.plugin.name in str(cause)
        raise PluginError(str(cause) if named else f"metric {metric.spec}: {cause}") from cause
    fits = isinstance(values, Tensor) and values.ndim == 1 + pooled and len(values) == count
    if not fits:
        shape = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
        wanted = f"({count}, S)" if pooled else f"({count},)"
        raise PluginError(
            f"metric {metric.spec} returned {shape} for {count} maps; it must return {wanted}."
        )
    found: Tensor = values
    return found
