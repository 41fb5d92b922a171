"""The maps of one batch: one recorded pass, then every method in turn."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

import numpy as np
import torch
from torch import Tensor

from xaibench.core.covering import CoveredConfidence
from xaibench.core.errors import XaibenchError
from xaibench.core.loading import Loaded
from xaibench.core.maps import finish
from xaibench.core.passes.batching import ran_out_of_memory
from xaibench.core.passes.engine import Engine
from xaibench.core.passes.precision import at_least_single
from xaibench.core.passes.question import Question
from xaibench.core.passes.tape import Tape
from xaibench.core.plugin import Bound
from xaibench.core.seeds import seed_of
from xaibench.results.maps import MapReader, MapWriter, map_key

Enlarge = Callable[[int, tuple[int, int]], Tensor]


@dataclass
class TestBatch:
    """What is explained and scored together.

    Attributes:
        ids: sample ids.
        images: ``(B, C, H, W)`` in [0, 1].
        masks: ``(B, H, W)`` int8 grades.
        annotated: which samples have a mask at all.
        targets: classes explained ``(B,)`` by kind, ``label`` or ``predicted``.
        predict: images -> confidences ``(B, K)``.
        lost: which masks lost all that they marked when they were resized; none by default.
        originals: masks ``(H, W)`` at the images' own sizes, which scores are then made with.
        together: by kind of target, what is covered in one stream.
    """

    ids: Sequence[str]
    images: Tensor
    masks: Tensor
    annotated: Sequence[bool]
    targets: Mapping[str, Tensor]
    predict: Callable[[Tensor], Tensor]
    lost: Sequence[bool] = ()
    originals: Sequence[Tensor | None] = ()
    together: defaultdict[str, list[CoveredConfidence]] = field(
        default_factory=lambda: defaultdict(list)
    )

    @classmethod
    def of(
        cls,
        loaded: Loaded,
        images: Tensor,
        targets: Mapping[str, Tensor],
        predict: Callable[[Tensor], Tensor],
    ) -> "TestBatch":
        """Lay loaded samples out; their images are on the model's device already."""
        return cls(
            ids=[sample.id for sample in loaded.samples],
            images=images,
            masks=loaded.masks.to(images.device),
            annotated=[sample.annotated for sample in loaded.samples],
            targets={kind: classes.to(images.device) for kind, classes in targets.items()},
            predict=predict,
            lost=() if loaded.originals else loaded.lost,
            originals=loaded.originals,
        )

    def is_filled(self, row: int) -> bool:
        """Whether the mask that scores are made with marks anything."""
        original = self.originals[row] if self.originals else None
        return bool(((self.masks[row] if original is None else original) > 0).any())

    @cached_property
    def confidences(self) -> Tensor:
        """``(B, K)`` on the untouched images: one pass, shared by all methods and metrics."""
        return self.predict(self.images)

    def rows(self, kind: str) -> Tensor:
        """Return the rows for which a kind of target asks for maps of its own.

        Where prediction and label agree one map serves both.
        """
        first = next(iter(self.targets))
        targets = self.targets[kind]
        if kind == first:
            return torch.arange(len(targets), device=targets.device)
        return (targets != self.targets[first]).nonzero()[:, 0]


@dataclass
class Maps:
    """Finished maps ``(B, H, W)`` of one method, and what became of each.

    ``enlarge`` gives one of them, by its row, at another size: ``(1, H, W)``.
    """

    values: Tensor
    statuses: list[str]
    enlarge: Enlarge | None = None


def ask(
    method: Bound, tape: Tape, batch: TestBatch, kind: str, *, seed: int, mean_mask: Tensor | None
) -> Tensor:
    """Return one method's raw maps ``(len(rows), h, w)`` for one kind of target.

    Raises:
        XaibenchError: the method returned something else.
    """
    rows = batch.rows(kind)
    if not len(rows):
        return torch.zeros(0, 1, 1, device=batch.images.device)
    raw = method(question_for(method, tape, batch, kind, seed=seed, mean_mask=mean_mask))
    if not isinstance(raw, Tensor) or raw.ndim != 3 or len(raw) != len(rows):  # noqa: PLR2004
        shape = tuple(raw.shape) if isinstance(raw, Tensor) else type(raw).__name__
        raise XaibenchError(
            f"method {method.spec} returned {shape} for {len(rows)} images; it must return "
            f"({len(rows)}, h, w)."
        )
    return at_least_single(raw.detach())


def question_for(
    method: Bound, tape: Tape, batch: TestBatch, kind: str, *, seed: int, mean_mask: Tensor | None
) -> Question:
    """Return what a method is asked for one kind of target."""
    rows = batch.rows(kind)
    seeds = [seed_of(seed, batch.ids[row], method.spec) for row in rows.tolist()]
    return Question(
        tape, rows, batch.targets[kind][rows], seeds, all_masks=batch.masks, mean_mask=mean_mask
    )


def record(engine: Engine, methods: Sequence[Bound], images: Tensor) -> Tape:
    """Run the model once for all methods of a batch.

    Raises:
        XaibenchError: memory runs out.
    """
    try:
        return Tape(engine, images, words_of(methods))
    except (RuntimeError, MemoryError) as error:
        if not ran_out_of_memory(error):
            raise
        raise XaibenchError(
            f"out of memory with {len(images)} images at once; choose a smaller --batch-size."
        ) from error


def words_of(methods: Sequence[Bound]) -> set[str]:
    """Return all that some methods ask for."""
    return {word for method in methods for word in method.plugin.signature.words}


def finish_maps(method: Bound, raw: Mapping[str, Tensor], batch: TestBatch) -> dict[str, Maps]:
    """Finish raw maps and fill in, for each kind of target, the rows that share a map."""
    size = (batch.images.shape[2], batch.images.shape[3])
    traits = method.plugin.traits
    finished: dict[str, Maps] = {}
    homes: dict[int, Tensor] = {}
    for kind in batch.targets:
        values, statuses = finish(raw[kind], size, sign=traits.sign, rescale=traits.rescale)
        rows = batch.rows(kind).tolist()
        homes = homes | {row: raw[kind][at : at + 1] for at, row in enumerate(rows)}
        if finished:
            first = next(iter(finished.values()))
            merged, merged_statuses = first.values.clone(), list(first.statuses)
            merged[rows] = values
            for row, status in zip(rows, statuses, strict=True):
                merged_statuses[row] = status
            values, statuses = merged, merged_statuses
        finished[kind] = Maps(values, statuses, partial(_enlarge, method, homes))
    return finished


def _enlarge(method: Bound, homes: Mapping[int, Tensor], row: int, size: tuple[int, int]) -> Tensor:
    traits = method.plugin.traits
    return finish(homes[row], size, sign=traits.sign, rescale=traits.rescale)[0]


def explain_again(
    method: Bound,
    engine: Engine,
    batch: TestBatch,
    kind: str,
    images: Tensor,
    *,
    seed: int,
    mean_mask: Tensor | None,
) -> Tensor:
    """Return one method's maps ``(B, H, W)`` of other images in the places of a batch's.

    Targets, masks and random numbers stay those of the batch.
    """
    again = replace(
        batch,
        images=images,
        targets={kind: batch.targets[kind]},
        together=defaultdict(list),
    )
    tape = record(engine, [method], images)
    raw = {kind: ask(method, tape, again, kind, seed=seed, mean_mask=mean_mask)}
    return finish_maps(method, raw, again)[kind].values


def store(writer: MapWriter, raw: Mapping[str, Tensor], batch: TestBatch) -> None:
    """Append a batch's raw maps to a cell's archive."""
    for kind, maps in raw.items():
        for row, values in zip(batch.rows(kind).tolist(), maps.cpu().numpy(), strict=True):
            writer.add(map_key(kind, batch.ids[row]), values)


def restore(reader: MapReader, batch: TestBatch) -> dict[str, Tensor]:
    """Read a batch's raw maps back."""
    raw: dict[str, Tensor] = {}
    for kind in batch.targets:
        rows = batch.rows(kind).tolist()
        stored = [reader[map_key(kind, batch.ids[row])] for row in rows]
        empty = np.zeros((0, 1, 1), np.float32)
        raw[kind] = torch.from_numpy(np.stack(stored) if stored else empty).to(batch.images.device)
    return raw
