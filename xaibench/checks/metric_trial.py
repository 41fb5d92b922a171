"""One metric and made-up maps: what the rules for metrics look at."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from xaibench.checks.networks import CLASSES, SIZE
from xaibench.checks.rule import Broken
from xaibench.checks.state import Given, isolated
from xaibench.core.maps import OK
from xaibench.core.plugin import Bound, Plugin
from xaibench.explaining.batch import ImageBatch, Maps
from xaibench.explaining.evidence import Evidence, evidence_of
from xaibench.explaining.training_set import made_up
from xaibench.explaining.tuned import Tuned

COUNT = 16
TUNED = Tuned(0.4)


def explain_again(_kind: str, images: Tensor, classes: Tensor | None = None) -> Tensor:
    """Replace a method that is asked again: return what is gray, and hangs on the class."""
    heat = images.mean(dim=1)
    return heat if classes is None else heat ** (2 + classes[:, None, None])


@dataclass(frozen=True)
class Case:
    """Maps ``(B, H, W)`` and the truth about them."""

    maps: Tensor
    masks: Tensor

    @classmethod
    def ordinary(cls, height: int = SIZE[0], width: int = SIZE[1]) -> "Case":
        """Noise, and masks of one region or of two."""
        masks = torch.zeros(COUNT, height, width, dtype=torch.int8)
        masks[:, 4:12, 10:38] = 1
        masks[::2, 20:30, 5:9] = 1
        return cls(_noise(5, COUNT, height, width), masks)

    @classmethod
    def layered(cls) -> "Case":
        """The same regions on top of a layered mask, with grades -1 to 3."""
        case = cls.ordinary()
        grades = torch.tensor([-1, 0, 1, 2]).repeat_interleave(10)[:, None].to(torch.int8)
        return replace(case, masks=torch.where(case.masks > 0, 3, grades))

    @property
    def truth(self) -> "Case":
        """The masks themselves as maps."""
        grades = self.masks.float().relu()
        highest = grades.amax(dim=(1, 2), keepdim=True).clamp(min=1)
        return replace(self, maps=grades / highest)


@dataclass(frozen=True)
class MetricResult:
    """What a metric returned, and what it left changed, by name."""

    values: Any
    given: Given
    surroundings: list[str]


class MetricTrial:
    """One metric."""

    label = "made-up maps"

    def __init__(self, metric: Bound) -> None:
        self.metric = metric

    @property
    def plugin(self) -> Plugin:
        """The metric's."""
        return self.metric.plugin

    @property
    def uses_masks(self) -> bool:
        """Whether it asks for the truth."""
        return "masks" in self.plugin.signature.words

    @property
    def pooled(self) -> bool:
        """Whether it returns statistics, from which one value of all images is made."""
        return self.plugin.traits.pool is not None

    def case(self, height: int = SIZE[0], width: int = SIZE[1]) -> Case:
        """Return ordinary maps, with masks of the kind that it counts."""
        case = Case.ordinary(height, width)
        if self.plugin.traits.counted == "empty":
            case.masks[:] = 0
            case.masks[1::2] = -1
        return case

    @cached_property
    def first(self) -> MetricResult:
        """Its answer about ordinary maps."""
        return self.observe(self.case())

    @property
    def values(self) -> Tensor:
        """The ordinary maps' values, or statistics, float32."""
        return as_values(self.first.values, COUNT, self.pooled)

    def worth(self, values: Tensor) -> Tensor:
        """Return each map's value, ``(B,)``: of statistics, that of the image as its own set."""
        if not self.pooled:
            return values
        known = ~values.isnan().any(dim=1)
        sets = zip(values, known, strict=True)
        pool = self.plugin.traits.pool
        return torch.stack([pool(row).float() if whole else row.mean() for row, whole in sets])

    def score(self, case: Case, rows: Sequence[int] = range(COUNT), noise: int = 1) -> Tensor:
        """Return the values, or statistics, of some of a case's maps."""
        return as_values(self.observe(case, rows, noise).values, len(rows), self.pooled)

    def observe(
        self, case: Case, rows: Sequence[int] = range(COUNT), noise: int = 1
    ) -> MetricResult:
        """Ask the metric as a run would, and look at all that it must leave alone.

        Args:
            case: maps and masks.
            rows: those that make up the batch.
            noise: seed of the global random states, on which nothing may depend.
        """
        chosen = list(rows)
        count, *size = case.maps.shape
        batch = ImageBatch(
            ids=[str(row) for row in chosen],
            images=_noise(4, count, 3, *size)[chosen],
            masks=case.masks[chosen],
            annotated=[True] * len(chosen),
            targets={"label": (torch.arange(count) % CLASSES)[chosen]},
            predict=_predict,
            respond=_respond,
            finds=torch.ones(len(chosen), CLASSES, dtype=torch.bool),
            shown=torch.ones(len(chosen), CLASSES, dtype=torch.bool),
        )
        maps = Maps(case.maps[chosen], [OK] * len(chosen))
        with isolated(noise) as surroundings:
            given = Given(_told(maps, batch))
            try:
                values = self.metric(given)
            except Exception as error:
                error.add_note(given.shapes())
                raise
        return MetricResult(values, given, surroundings)


def _told(maps: Maps, batch: ImageBatch) -> Evidence:
    """Return a batch's evidence, with what a run has beside it."""
    size = batch.images.shape[2:]
    training = made_up(_noise(6, 2 * COUNT, 3, *size), torch.arange(2 * COUNT) % CLASSES)

    def randomized(_kind: str) -> Tensor:
        return _noise(7, COUNT, *size)[[int(name) for name in batch.ids]]

    found = evidence_of({"label": maps}, batch, explain_again, TUNED, randomized, training)
    return found["label"]


def as_values(values: Any, count: int, pooled: bool) -> Tensor:
    """Return values, or statistics that are pooled, as a run takes them.

    Raises:
        Broken: they aren't ``(count,)``, or ``(count, S)``.
    """
    shape = f"({count}, S)" if pooled else f"({count},)"
    if not isinstance(values, Tensor):
        raise Broken(
            f"for {count} maps it returned a {type(values).__name__}; return a tensor {shape}."
        )
    if pooled and (values.ndim != 2 or len(values) != count):  # noqa: PLR2004
        raise Broken(
            f"for {count} maps it returned {tuple(values.shape)}; with `pool` return {shape}, a "
            "row of statistics for each map."
        )
    if not pooled and values.shape != (count,):
        raise Broken(
            f"for {count} maps it returned {tuple(values.shape)}; return ({count},), one value for "
            "each map: take means and sums over dim=(1, 2) alone."
        )
    return values.detach().float()


def _predict(images: Tensor) -> Tensor:
    return _respond(images).softmax(dim=1)


def _respond(images: Tensor) -> Tensor:
    """Return logits that know where things lie: another place, another logit."""
    generator = torch.Generator().manual_seed(3)
    weights = torch.randn(CLASSES, images[0].numel(), generator=generator) / 20
    return images.flatten(1) @ weights.T


def _noise(seed: int, *shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))
