"""What a training is fed with: its images in batches, changed and unchanged, as tensors."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from xaibench.core.augment import augment
from xaibench.core.batch import Batch
from xaibench.core.data import Sample
from xaibench.core.loading import Loaded, Loader
from xaibench.core.model import Model
from xaibench.core.passes.device import place_images
from xaibench.core.seeds import seed_of
from xaibench.core.splits import Split
from xaibench.setup.options import RunOptions
from xaibench.setup.several import labels_of
from xaibench.training.supervision import (
    WatchedBatch,
    known_masks,
    masks_for,
    visible,
    weigh_classes,
)

_SMALLEST_SHARE = 2


class Feed:
    """The images of one training; with several replicas each process takes its share of a batch.

    Attributes:
        seen: the samples whose masks may be seen.
        class_weights: ``(K,)``, or None where all images count alike.
        read: the annotations that the model's loss has read so far.
    """

    def __init__(
        self,
        model: Model,
        loader: Loader,
        split: Split,
        options: RunOptions,
        *,
        seed: int,
        device: torch.device,
        rank: int = 0,
    ) -> None:
        self._loader, self._split, self._options = loader, split, options
        self._seed, self._device, self._rank = seed, device, rank
        self._boxes_only, self._by_class = model.boxes_only, model.learns_class_masks
        self.class_weights: Tensor | None = None
        if options.class_weighting == "balanced":
            self.class_weights = weigh_classes(split, loader.classes).to(device)
        self.seen = masks_for(model, split)
        self.read: set[str] = set()

    def chunks(self, epoch: int) -> list[list[Sample]]:
        """Return the training images of an epoch's steps."""
        samples = sorted(self._split.train, key=lambda s: seed_of(self._seed, epoch, s.id))
        size = self._options.train_batch_size
        chunks = [samples[i : i + size] for i in range(0, len(samples), size)]
        # Batch norm can't learn from a last batch of one image a process.
        if len(chunks) > 1 and len(chunks[-1]) < _SMALLEST_SHARE * self._options.replicas:
            chunks.pop()
        return chunks

    def training(self, epoch: int, teacher: Model | None) -> Iterator[Batch]:
        """Yield an epoch's batches, augmented; ``teacher`` has the average of the weights."""
        options, chunks = self._options, self.chunks(epoch)
        shares = (chunk[self._rank :: options.replicas] for chunk in chunks)
        for chunk, loaded in zip(chunks, self._loader.stream(shares), strict=True):
            images, masks = place_images(loaded.images, self._device), self._masks(loaded)
            each = self._class_masks(loaded)
            together = masks if each is None else torch.cat([masks[:, None], each], dim=1)
            seeds = [seed_of(self._seed, epoch, "augment", s.id) for s in loaded.samples]
            images, together = augment(images, together, seeds, options.augmentation)
            masks, each = (together, None) if each is None else (together[:, 0], together[:, 1:])
            batch = self._batch(loaded, images, masks, each, chunk, options.replicas)
            batch.label_smoothing = options.label_smoothing
            batch.teacher = teacher
            batch.progress = epoch / options.epochs
            yield batch

    def validation(self) -> Iterator[Batch]:
        """Yield all validation images as they are."""
        size = self._options.train_batch_size
        for loaded in self._loader.batches(self._split.validation, size):
            images = place_images(loaded.images, self._device)
            each = self._class_masks(loaded)
            yield self._batch(loaded, images, self._masks(loaded), each, loaded.samples, 1)

    def _masks(self, loaded: Loaded) -> Tensor:
        boxes_only = self._boxes_only
        masks = visible(loaded.masks, loaded.samples, self.seen, boxes_only=boxes_only)
        return masks.to(self._device)

    def _class_masks(self, loaded: Loaded) -> Tensor | None:
        """Return masks of each class ``(B, K, H, W)``, for models that learn from them."""
        if not self._by_class or not loaded.of_classes[0]:
            return None
        each = [self._masks(loaded.of_class(at)) for at in range(self._loader.classes)]
        return torch.stack(each, dim=1)

    def _batch(
        self,
        loaded: Loaded,
        images: Tensor,
        masks: Tensor,
        class_masks: Tensor | None,
        whole: Sequence[Sample],
        replicas: int,
    ) -> Batch:
        seen, samples = self.seen, loaded.samples
        known = None if class_masks is None else known_masks(samples, seen).to(self._device)
        return WatchedBatch(
            images=images,
            labels=labels_of(samples).to(self._device),
            masks=masks,
            masked=torch.tensor([s.id in seen for s in samples], device=self._device),
            images_counted=len(whole) / replicas,
            masks_counted=max(sum(s.id in seen for s in whole), 1) / replicas,
            class_weights=self.class_weights,
            localization_loss=self._options.loss,
            read=self.read,
            class_masks=class_masks,
            class_known=known,
        )
