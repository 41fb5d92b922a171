"""Training: the recipe of the study, for any model that has a loss."""

import json
import logging
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from xaibench.core.augment import augment
from xaibench.core.batch import Batch, accuracy
from xaibench.core.data import Sample
from xaibench.core.errors import XaibenchError
from xaibench.core.loading import Loaded, Loader
from xaibench.core.model import Model
from xaibench.core.passes.device import mixed_precision, place_images, place_model
from xaibench.core.progress import progress_bar
from xaibench.core.seeds import seed_of
from xaibench.core.splits import Split
from xaibench.core.supervision import Supervision
from xaibench.results.folder import CHECKPOINT_FILE, HISTORY_FILE
from xaibench.results.sealed import write_sealed
from xaibench.setup.options import RunOptions
from xaibench.training.averages import Averages
from xaibench.training.checkpoint import pack, read_checkpoint
from xaibench.training.history import summarise, write_history
from xaibench.training.moving_average import MovingAverage
from xaibench.training.optimise import LearningRate, make_optimiser
from xaibench.training.supervision import (
    WatchedBatch,
    learned_from,
    masks_for,
    visible,
    weigh_classes,
)

_log = logging.getLogger(__name__)
_SMALLEST_SHARE = 2


@dataclass
class _State:
    """What training needs to go on from the end of an epoch."""

    history: list[dict[str, float]] = field(default_factory=list)
    best_loss: float = float("inf")
    best_model: dict[str, Tensor] = field(default_factory=dict)


class Trainer:
    """Trains one model; with several replicas each process trains on its share of every batch."""

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
        self.model = place_model(model, device)
        self.loader, self.split, self.options = loader, split, options
        self.seed, self.device, self.rank = seed, device, rank
        self.step_model: nn.Module = _Loss(model)
        if options.replicas > 1:
            self.step_model = nn.parallel.DistributedDataParallel(self.step_model)
        self.optimizer = make_optimiser(
            options.optimizer, model, options.learning_rate,
            fresh_rate=options.fresh_rate, weight_decay=options.weight_decay,
        )  # fmt: skip
        self.schedule = LearningRate(
            options.schedule, self.optimizer, epochs=options.epochs, steps=len(self._chunks(0))
        )
        self.average = MovingAverage(model, options.ema) if options.ema else None
        self.class_weights: Tensor | None = None
        if options.class_weighting == "balanced":
            self.class_weights = weigh_classes(split, loader.classes).to(device)
        self.seen = masks_for(model, split)
        self.read: set[str] = set()
        self.state = _State()

    def train(self, folder: Path, fingerprint: str, title: str) -> list[dict[str, float]]:
        """Train to the last epoch, going on from a checkpoint of the same fingerprint.

        The model ends with the weights of the last epoch, or of the one whose validation loss is
        lowest, as ``--keep-epoch`` says; with ``--ema`` these are averages.
        """
        checkpoint = folder / CHECKPOINT_FILE
        self._resume(checkpoint, fingerprint)
        epochs, done = self.options.epochs, len(self.state.history)
        # Beside other processes nobody has the terminal to himself: who started them shows it.
        shown = self.options.replicas == 1
        with progress_bar("train", title, epochs, done, unit="epoch", shown=shown) as bar:
            for epoch in range(done, epochs):
                row = self._epoch(epoch)
                if self.rank == 0:
                    write_history(folder / HISTORY_FILE, self.state.history)
                    self._save(checkpoint, fingerprint)  # last: what it says is there is there
                bar.advance(note=summarise(row))
        if not self.state.best_model:
            raise XaibenchError(
                f"{title}: the validation loss was never finite; lower --learning-rate."
            )
        self.model.load_state_dict(self.state.best_model)
        return self.state.history

    @property
    def result(self) -> Model:
        """The model as it would be kept: with ``--ema`` the average."""
        return self.average.model if self.average else self.model

    @property
    def supervision(self) -> Supervision:
        """What it has learned from, so far."""
        return learned_from(self.model, self.split, self.read, self.options.mask_fraction)

    def _epoch(self, epoch: int) -> dict[str, float]:
        started = time.perf_counter()
        torch.manual_seed(seed_of(self.seed, "epoch", epoch))
        self.model.train()
        trained = Averages()
        for batch in self._batches(epoch):
            self.optimizer.zero_grad(set_to_none=True)
            with mixed_precision(self.device):
                losses = self.step_model(batch)
            losses["loss"].backward()
            self.optimizer.step()
            self.schedule.after_step()
            if self.average:
                self.average.take(self.model)
            trained.add(losses, len(batch.images))
        self.schedule.after_epoch()
        row = {"epoch": epoch + 1, **trained.result("train_"), **self._validate()}
        row["seconds"] = round(time.perf_counter() - started, 3)
        self.state.history.append(row)
        finite = math.isfinite(row["validation_loss"])
        last = finite and self.options.keep_epoch == "last"
        if last or row["validation_loss"] < self.state.best_loss:
            self.state.best_loss = row["validation_loss"]
            weights = self.result.state_dict()
            self.state.best_model = {k: v.detach().cpu().clone() for k, v in weights.items()}
        return row

    def _chunks(self, epoch: int) -> list[list[Sample]]:
        """Return the training images of an epoch's steps."""
        samples = sorted(self.split.train, key=lambda s: seed_of(self.seed, epoch, s.id))
        size = self.options.train_batch_size
        chunks = [samples[i : i + size] for i in range(0, len(samples), size)]
        # Batch norm can't learn from a last batch of one image a process.
        if len(chunks) > 1 and len(chunks[-1]) < _SMALLEST_SHARE * self.options.replicas:
            chunks.pop()
        return chunks

    def _batches(self, epoch: int) -> Iterator[Batch]:
        chunks, replicas = self._chunks(epoch), self.options.replicas
        shares = (chunk[self.rank :: replicas] for chunk in chunks)
        for chunk, loaded in zip(chunks, self.loader.stream(shares), strict=True):
            images, masks = place_images(loaded.images, self.device), self._masks(loaded)
            seeds = [seed_of(self.seed, epoch, "augment", s.id) for s in loaded.samples]
            images, masks = augment(images, masks, seeds, self.options.augmentation)
            batch = self._batch(loaded.samples, images, masks, whole=chunk, replicas=replicas)
            batch.label_smoothing = self.options.label_smoothing
            batch.teacher = self.average.model if self.average else None
            batch.progress = epoch / self.options.epochs
            yield batch

    def _masks(self, loaded: Loaded) -> Tensor:
        boxes_only = self.model.boxes_only
        masks = visible(loaded.masks, loaded.samples, self.seen, boxes_only=boxes_only)
        return masks.to(self.device)

    def _batch(
        self, samples: Sequence[Sample], images: Tensor, masks: Tensor, *,
        whole: Sequence[Sample], replicas: int,
    ) -> Batch:  # fmt: skip
        seen = self.seen
        return WatchedBatch(
            images=images,
            labels=torch.tensor([s.label for s in samples], device=self.device),
            masks=masks,
            masked=torch.tensor([s.id in seen for s in samples], device=self.device),
            images_counted=len(whole) / replicas,
            masks_counted=max(sum(s.id in seen for s in whole), 1) / replicas,
            class_weights=self.class_weights,
            localization_loss=self.options.loss,
            read=self.read,
        )

    def _validate(self) -> dict[str, float]:
        """Return the loss and a classifier's accuracy of all validation images, in each replica."""
        model, total = self.result.eval(), Averages()
        with torch.inference_mode():
            for loaded in self.loader.batches(self.split.validation, self.options.train_batch_size):
                images = place_images(loaded.images, self.device)
                masks = self._masks(loaded)
                mine = loaded.samples
                batch = self._batch(mine, images, masks, whole=mine, replicas=1)
                losses = model.loss(batch)
                if model.classifies and "accuracy" not in losses:  # a plugin's own loss
                    losses["accuracy"] = accuracy(model(images), batch)
                total.add(losses, len(mine))
        return total.result("validation_")

    def _save(self, path: Path, fingerprint: str) -> None:
        content = {
            "fingerprint": fingerprint,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "average": self.average.state_dict() if self.average else None,
            "history": json.dumps(self.state.history),
            "best_loss": self.state.best_loss,
            "best_model": self.state.best_model,
            "read": sorted(self.read),
        }
        write_sealed(path, pack(content))

    def _resume(self, path: Path, fingerprint: str) -> None:
        content = read_checkpoint(path)
        if content.get("fingerprint") != fingerprint:
            return
        self.model.load_state_dict(content["model"])
        self.optimizer.load_state_dict(content["optimizer"])
        self.schedule.load_state_dict(content["schedule"])
        if self.average:
            self.average.load_state_dict(content["average"])
        self.read.update(content["read"])
        self.state = _State(
            json.loads(content["history"]), content["best_loss"], content["best_model"]
        )


class _Loss(nn.Module):
    """A module whose forward is the loss, as distributed training wants it."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        return self.model.loss(batch)
