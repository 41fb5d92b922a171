"""Training: the recipe of the study, for any model that has a loss."""

import io
import json
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from xaibench.core.augment import augment
from xaibench.core.data import Sample
from xaibench.core.errors import XaibenchError
from xaibench.core.loading import Loader
from xaibench.core.model import Batch, Model
from xaibench.core.passes.device import mixed_precision, place_images, place_model
from xaibench.core.progress import progress_bar
from xaibench.core.seeds import seed_of
from xaibench.core.splits import Split
from xaibench.core.store import write_with
from xaibench.core.supervision import Supervision
from xaibench.results.folder import CHECKPOINT_FILE, HISTORY_FILE
from xaibench.results.sealed import DamagedError, read_sealed, write_sealed
from xaibench.setup.options import RunOptions
from xaibench.training.averages import Averages
from xaibench.training.optimise import make_optimiser, make_schedule
from xaibench.training.supervision import WatchedBatch, learned_from, masks_for, weigh_classes

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
        self.optimizer = make_optimiser(options.optimizer, model, options.learning_rate)
        self.schedule = make_schedule(options.schedule, self.optimizer)
        self.class_weights: Tensor | None = None
        if options.class_weighting == "balanced":
            self.class_weights = weigh_classes(split, loader.classes).to(device)
        self.seen = masks_for(model, split)
        self.read: set[str] = set()
        self.state = _State()

    def train(self, folder: Path, fingerprint: str, title: str) -> list[dict[str, float]]:
        """Train to the last epoch, going on from a checkpoint of the same fingerprint.

        The model ends with the weights of the epoch whose validation loss is lowest.
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
            trained.add(losses, len(batch.images))
        self.schedule.step()
        row = {"epoch": epoch + 1, **trained.result("train_"), **self._validate()}
        row["seconds"] = round(time.perf_counter() - started, 3)
        self.state.history.append(row)
        if row["validation_loss"] < self.state.best_loss:
            self.state.best_loss = row["validation_loss"]
            weights = self.model.state_dict()
            self.state.best_model = {k: v.detach().cpu().clone() for k, v in weights.items()}
        return row

    def _batches(self, epoch: int) -> Iterator[Batch]:
        samples = sorted(self.split.train, key=lambda s: seed_of(self.seed, epoch, s.id))
        size, replicas = self.options.train_batch_size, self.options.replicas
        chunks = [samples[i : i + size] for i in range(0, len(samples), size)]
        # Batch norm can't learn from a last batch of one image a process.
        if len(chunks) > 1 and len(chunks[-1]) < _SMALLEST_SHARE * replicas:
            chunks.pop()
        shares = (chunk[self.rank :: replicas] for chunk in chunks)
        for chunk, loaded in zip(chunks, self.loader.stream(shares), strict=True):
            images, masks = place_images(loaded.images, self.device), loaded.masks.to(self.device)
            seeds = [seed_of(self.seed, epoch, "augment", s.id) for s in loaded.samples]
            images, masks = augment(images, masks, seeds, self.options.augmentation)
            yield self._batch(loaded.samples, images, masks, whole=chunk, replicas=replicas)

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
            read=self.read,
        )

    def _validate(self) -> dict[str, float]:
        """Return loss and accuracy on all validation samples; every replica computes the same.

        Models that don't classify have no accuracy.
        """
        self.model.eval()
        total, right, samples = Averages(), 0, self.split.validation
        with torch.inference_mode():
            for loaded in self.loader.batches(samples, self.options.train_batch_size):
                images = place_images(loaded.images, self.device)
                masks = loaded.masks.to(self.device)
                mine = loaded.samples
                batch = self._batch(mine, images, masks, whole=mine, replicas=1)
                total.add(self.model.loss(batch), len(mine))
                if self.model.classifies:
                    predicted = self.model(images).argmax(dim=1).tolist()
                    right += sum(k == s.label for k, s in zip(predicted, mine, strict=True))
        accuracy = {"validation_accuracy": right / len(samples)} if self.model.classifies else {}
        return {**total.result("validation_"), **accuracy}

    def _save(self, path: Path, fingerprint: str) -> None:
        content = {
            "fingerprint": fingerprint,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "history": json.dumps(self.state.history),
            "best_loss": self.state.best_loss,
            "best_model": self.state.best_model,
            "read": sorted(self.read),
        }
        write_sealed(path, pack(content))

    def _resume(self, path: Path, fingerprint: str) -> None:
        content = _read_checkpoint(path)
        if content.get("fingerprint") != fingerprint:
            return
        self.model.load_state_dict(content["model"])
        self.optimizer.load_state_dict(content["optimizer"])
        self.schedule.load_state_dict(content["schedule"])
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


def pack(content: Mapping[str, Any]) -> bytes:
    """Return what `torch.load` reads; written by torch itself, a full disk is no `OSError`."""
    packed = io.BytesIO()
    torch.save(content, packed)
    return packed.getvalue()


def write_history(path: Path, history: list[dict[str, float]]) -> None:
    """Write one row for each epoch."""
    write_with(path, lambda file: pd.DataFrame(history).to_csv(file, index=False))


def _read_checkpoint(path: Path) -> dict[str, Any]:
    try:
        packed = io.BytesIO(read_sealed(path))
    except FileNotFoundError:
        return {}
    except DamagedError:
        _log.warning("%s is damaged: training starts anew", path)
        return {}
    try:
        content: dict[str, Any] = torch.load(packed, map_location="cpu", weights_only=True)
    except Exception:  # sealed, but by another version, or by nobody that we trust
        _log.warning("%s can't be read: training starts anew", path)
        return {}
    return content


def summarise(row: Mapping[str, float]) -> str:
    """Return what an epoch came to, in a line."""
    accuracy = row.get("validation_accuracy")
    losses = f"loss {row['train_loss']:.3f}, validation loss {row['validation_loss']:.3f}"
    return losses if accuracy is None else f"{losses}, accuracy {accuracy:.3f}"
