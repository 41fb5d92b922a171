"""The training images of a trained model, with those masks alone that the budget lets be seen."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from xaibench.core.data import Sample
from xaibench.core.loading import Loaded, Loader
from xaibench.core.passes.device import place_images
from xaibench.training.supervision import visible


class Rows:
    """Tensors that are read when they are asked for, by their rows."""

    def __init__(self, count: int, read: Callable[[list[int]], Tensor]) -> None:
        self._count, self._read = count, read

    def __len__(self) -> int:
        """N."""
        return self._count

    def __getitem__(self, rows: Tensor | Sequence[int] | slice) -> Tensor:
        """Return some rows, ``(n, ...)``: whole numbers from 0, truth values, or a slice."""
        return self._read(torch.arange(self._count)[rows].reshape(-1).tolist())


class MaskRows(Rows):
    """Masks; those that may not be seen are zeros.

    Attributes:
        seen: ``(N,)``, which may be.
    """

    def __init__(self, seen: Tensor, read: Callable[[list[int]], Tensor]) -> None:
        super().__init__(len(seen), read)
        self.seen = seen


@dataclass(frozen=True)
class TrainingSet:
    """What methods and fits may know of a model's training images."""

    images: Rows
    labels: Tensor
    masks: MaskRows


def training_set(
    loader: Loader, samples: Sequence[Sample], seen: frozenset[str], device: torch.device
) -> TrainingSet:
    """Return the training images of a split.

    Args:
        loader: reads pictures.
        samples: the training part.
        seen: ids of the samples whose masks the budget lets be seen; no other mask leaves here.
        device: where they are wanted.
    """

    def load(rows: list[int]) -> Loaded:
        return next(loader.batches([samples[row] for row in rows], max(len(rows), 1)))

    def masks(rows: list[int]) -> Tensor:
        found = load(rows)
        return visible(found.masks, found.samples, seen, boxes_only=False).to(device)

    return TrainingSet(
        Rows(len(samples), lambda rows: place_images(load(rows).images, device)),
        torch.tensor([sample.label for sample in samples], device=device),
        MaskRows(torch.tensor([sample.id in seen for sample in samples]), masks),
    )


def made_up(images: Tensor, labels: Tensor) -> TrainingSet:
    """Return images ``(N, C, H, W)`` of no run as a training set without any mask."""
    hidden = torch.zeros(len(images), dtype=torch.bool)
    masks = MaskRows(hidden, lambda rows: torch.zeros_like(images[rows, 0], dtype=torch.int8))
    return TrainingSet(Rows(len(images), images.__getitem__), labels, masks)
