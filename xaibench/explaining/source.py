"""Where the maps of a walk over images come from: a method, a cell's files or a submission."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from xaibench.core.plugin import Bound
from xaibench.explaining.batch import ImageBatch, Maps, concatenate
from xaibench.explaining.meter import Meter
from xaibench.explaining.score import Score, Scorer
from xaibench.explaining.tuned import Tuned


@dataclass
class Explained:
    """What a method gave for a batch.

    Attributes:
        batch: the images.
        raw: maps ``(rows, h, w)`` as the method returned them, by kind of target; none where the
            maps were stored.
        maps: the finished ones, by kind of target.
        gap: the largest share of a promised sum that attributions missed; None without a promise.
        scores: of all metrics that don't wait for other images.
    """

    batch: ImageBatch
    raw: dict[str, Tensor]
    maps: dict[str, Maps]
    gap: float | None = None
    scores: Sequence[Score] = ()


def join_parts(batch: ImageBatch, parts: Sequence[Explained]) -> Explained:
    """Return what was found of a batch whose images were explained in parts."""
    if len(parts) == 1:
        return parts[0]
    raw = {kind: _cat([each.raw[kind] for each in parts]) for kind in parts[0].raw}
    maps = {kind: concatenate([each.maps[kind] for each in parts]) for kind in parts[0].maps}
    gaps = [each.gap for each in parts if each.gap is not None]
    targets = [each.batch.targets for each in parts]
    batch.targets = {kind: torch.cat([each[kind] for each in targets]) for kind in targets[0]}
    scores = [score for each in parts for score in each.scores]
    return Explained(batch, raw, maps, max(gaps, default=None), scores)


def _cat(maps: Sequence[Tensor]) -> Tensor:
    """Put maps one behind the other; of no map nobody knows the size."""
    return torch.cat([each for each in maps if len(each)] or [maps[0]])


class MapSource:
    """Where one method's maps come from, and where they go: by itself, the method that is asked.

    Attributes:
        method: that explains.
        failure: why it failed, which ends its share in the walk; empty while it hasn't.
        skips: whether it said that it can't explain this, which is no failure.
        meter: adds up what the maps cost, where that is wanted.
        scorer: scores the maps, where there are metrics.
        tuned: thresholds that were tuned for it, where any were.
    """

    meter: Meter | None = None
    scorer: Scorer | None = None
    tuned: Tuned | None = None
    explains_again = True
    """Whether the method can be asked about other images, as some metrics do."""

    def __init__(self, method: Bound, take: Callable[[Explained], None]) -> None:
        """Take what is found, batch by batch, to where it is wanted."""
        self.method, self.take = method, take
        self.failure, self.skips = "", False

    @property
    def needs_maps(self) -> bool:
        """Whether the method itself must run."""
        return True

    def read(self, batch: ImageBatch) -> dict[str, Maps]:
        """Return the finished maps of a batch where the method itself needn't run."""
        raise NotImplementedError

    def fail(self, reason: str, *, skips: bool = False) -> None:
        """Note that the method failed, or ``skips`` what it can't explain."""
        self.failure, self.skips = reason, skips
