"""Images that are explained and scored together, and the maps that methods give of them."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

import numpy as np
import torch
from torch import Tensor

from xaibench.core.covering import CoveredConfidence
from xaibench.core.loading import Loaded
from xaibench.core.maps import finish
from xaibench.core.plugin import Bound
from xaibench.explaining.views import ClassView
from xaibench.results.maps import MapReader, MapWriter, map_key

Enlarge = Callable[[int, tuple[int, int]], Tensor]


@dataclass
class ImageBatch:
    """What is explained and scored together.

    Where images may show several classes, each class that is explained is a kind of target with a
    view of its own, and `unit` gives the images in which it is explained with its masks.

    Attributes:
        ids: sample ids.
        images: ``(B, C, H, W)`` in [0, 1].
        masks: ``(B, H, W)`` int8 grades.
        annotated: which samples have a mask at all.
        targets: classes explained ``(B,)`` by kind, ``label`` or ``predicted``.
        predict: images -> confidences ``(B, K)``.
        lost_masks: which masks lost all that they marked when they were resized; none by default.
        originals: masks ``(H, W)`` at the images' own sizes, which scores are then made with.
        respond: images -> logits ``(B, K)``, where anybody can.
        choose: logits ``(B, K)`` -> targets, where they follow from the pass that is recorded.
        together: by kind of target, what is covered in one stream.
        classes: their names, which scores name their targets by.
        views: by kind of target, where images may show several classes.
        finds: which classes the model finds, ``(B, K)`` bool; None where that is the likeliest.
        shown: which classes an image shows, ``(B, K)`` bool; None where images have one label.
        whole: the batch of which it is a unit, and its rows there.
    """

    ids: Sequence[str]
    images: Tensor
    masks: Tensor
    annotated: Sequence[bool]
    targets: Mapping[str, Tensor]
    predict: Callable[[Tensor], Tensor]
    lost_masks: Sequence[bool] = ()
    originals: Sequence[Tensor | None] = ()
    respond: Callable[[Tensor], Tensor] | None = None
    choose: Callable[[Tensor], Mapping[str, Tensor]] | None = None
    together: defaultdict[str, list[CoveredConfidence]] = field(
        default_factory=lambda: defaultdict(list)
    )
    classes: Sequence[str] = ()
    views: Mapping[str, ClassView] = field(default_factory=dict)
    finds: Tensor | None = None
    shown: Tensor | None = None
    whole: "tuple[ImageBatch, Tensor] | None" = None
    units: "dict[str, ImageBatch]" = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        loaded: Loaded,
        images: Tensor,
        targets: Mapping[str, Tensor],
        predict: Callable[[Tensor], Tensor],
    ) -> "ImageBatch":
        """Lay loaded samples out; their images are on the model's device already."""
        return cls(
            ids=[sample.id for sample in loaded.samples],
            images=images,
            masks=loaded.masks.to(images.device),
            annotated=[sample.annotated for sample in loaded.samples],
            targets={kind: classes.to(images.device) for kind, classes in targets.items()},
            predict=predict,
            lost_masks=() if loaded.originals else loaded.lost,
            originals=loaded.originals,
        )

    def part(self, first: int, last: int) -> "ImageBatch":
        """Return the images of some rows alone."""
        if (first, last) == (0, len(self.ids)):
            return self
        rows = slice(first, last)
        return replace(
            self,
            ids=self.ids[rows],
            images=self.images[rows],
            masks=self.masks[rows],
            annotated=self.annotated[rows],
            targets={kind: classes[rows] for kind, classes in self.targets.items()},
            lost_masks=self.lost_masks[rows],
            originals=self.originals[rows],
            together=defaultdict(list),
            views={kind: view.part(first, last) for kind, view in self.views.items()},
            finds=None if self.finds is None else self.finds[rows],
            shown=None if self.shown is None else self.shown[rows],
            units={},
        )

    def unit(self, kind: str) -> "ImageBatch":
        """Return what one kind of target is scored on: the batch itself unless views differ."""
        if not self.views:
            return self
        if kind not in self.units:
            rows = self.views[kind].rows
            self.units[kind] = replace(
                self,
                ids=[self.ids[row] for row in rows.tolist()],
                images=self.images[rows],
                targets={kind: self.targets[kind][rows]},
                together=defaultdict(list),
                views={},
                finds=None if self.finds is None else self.finds[rows],
                shown=None if self.shown is None else self.shown[rows],
                whole=(self, rows),
                units={},
                **self.views[kind].explained(),
            )
        return self.units[kind]

    def is_filled(self, row: int) -> bool:
        """Whether the mask that scores are made with marks anything."""
        original = self.originals[row] if self.originals else None
        return bool(((self.masks[row] if original is None else original) > 0).any())

    @cached_property
    def confidences(self) -> Tensor:
        """``(B, K)`` on the untouched images: one pass, shared by all methods and metrics."""
        if self.whole is not None:
            batch, rows = self.whole
            return batch.confidences[rows]
        return self.predict(self.images)

    def rows(self, kind: str) -> Tensor:
        """Return the rows for which a kind of target asks for maps of its own.

        Where prediction and label agree one map serves both.
        """
        if self.views:
            return self.views[kind].rows
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


def concatenate(maps: Sequence[Maps]) -> Maps:
    """Put maps of some images after those of others."""
    values = torch.cat([each.values for each in maps])
    homes = [(each, row) for each in maps for row in range(len(each.statuses))]

    def enlarge(row: int, size: tuple[int, int]) -> Tensor:
        each, mine = homes[row]
        assert each.enlarge is not None
        return each.enlarge(mine, size)

    return Maps(values, [status for each in maps for status in each.statuses], enlarge)


def without_masks(
    ids: Sequence[str],
    images: Tensor,
    targets: Mapping[str, Tensor],
    predict: Callable[[Tensor], Tensor],
) -> ImageBatch:
    """Make a batch of images ``(B, C, H, W)`` that nobody has annotated."""
    masks = torch.zeros_like(images[:, 0], dtype=torch.int8)
    return ImageBatch(ids, images, masks, [False] * len(ids), targets, predict)


def finish_maps(method: Bound, raw: Mapping[str, Tensor], batch: ImageBatch) -> dict[str, Maps]:
    """Finish raw maps and fill in, for each kind of target, the rows that share a map."""
    size = (batch.images.shape[2], batch.images.shape[3])
    traits = method.plugin.traits
    finished: dict[str, Maps] = {}
    homes: dict[int, Tensor] = {}
    for kind in batch.targets:
        values, statuses = finish(raw[kind], size, sign=traits.sign, rescale=traits.rescale)
        rows = batch.rows(kind).tolist()
        if batch.views:  # no map serves two classes
            rows, homes = list(range(len(rows))), {}
        homes = homes | {row: raw[kind][at : at + 1] for at, row in enumerate(rows)}
        if finished and not batch.views:
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


def keyed_maps(raw: Mapping[str, Tensor], batch: ImageBatch) -> list[tuple[str, Tensor]]:
    """Return a batch's raw maps on the CPU, under their keys in a cell's archive."""
    return [
        (map_key(kind, batch.ids[row]), values)
        for kind, maps in raw.items()
        for row, values in zip(batch.rows(kind).tolist(), maps.cpu(), strict=True)
    ]


def write_maps(writer: MapWriter, maps: Sequence[tuple[str, Tensor]]) -> None:
    """Append maps of `keyed_maps` to a cell's archive; any thread can, as no device is asked."""
    for key, values in maps:
        writer.add(key, values.numpy())


def read_maps(reader: MapReader, method: Bound, batch: ImageBatch) -> dict[str, Maps]:
    """Read a batch's raw maps back, and finish them."""
    raw: dict[str, Tensor] = {}
    for kind in batch.targets:
        rows = batch.rows(kind).tolist()
        stored = [reader[map_key(kind, batch.ids[row])] for row in rows]
        empty = np.zeros((0, 1, 1), np.float32)
        raw[kind] = torch.from_numpy(np.stack(stored) if stored else empty).to(batch.images.device)
    return finish_maps(method, raw, batch)
