"""Training: the recipe of the study, for any model that has a loss."""

import json
import logging
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.amp import GradScaler

from xaibench.core.batch import Batch, accuracy
from xaibench.core.errors import OutOfMemoryError, XaibenchError
from xaibench.core.loading import Loader
from xaibench.core.model import Model
from xaibench.core.passes.batching import ran_out_of_memory
from xaibench.core.passes.device import (
    backward_in,
    forward_in,
    place_model,
    training_precision,
)
from xaibench.core.progress import progress_bar
from xaibench.core.seeds import seed_of
from xaibench.core.splits import Split
from xaibench.core.supervision import Supervision
from xaibench.results.folder import CHECKPOINT_FILE, HISTORY_FILE
from xaibench.setup.options import RunOptions
from xaibench.training.averages import Averages
from xaibench.training.checkpoint import Checkpoints, read_checkpoint
from xaibench.training.feed import Feed
from xaibench.training.history import summarize, write_history
from xaibench.training.moving_average import MovingAverage
from xaibench.training.optimize import LearningRate, make_optimizer
from xaibench.training.supervision import (
    learned_from,
)

_log = logging.getLogger(__name__)


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
        self.split, self.options = split, options
        self.seed, self.device, self.rank = seed, device, rank
        self.feed = Feed(model, loader, split, options, seed=seed, device=device, rank=rank)
        self.step_model: nn.Module = _Loss(model)
        if options.replicas > 1:
            self.step_model = nn.parallel.DistributedDataParallel(self.step_model)
        self.optimizer = make_optimizer(
            options.optimizer, model, options.learning_rate, fresh_rate=options.fresh_rate,
            weight_decay=options.weight_decay, fused=device.type == "cuda",
        )  # fmt: skip
        self.precision = training_precision(device, options.train_precision)
        # Small gradients of fp16 would be zero.
        self.scaler = GradScaler(device.type, enabled=self.precision == "fp16")
        self.schedule = LearningRate(
            options.schedule, self.optimizer, epochs=options.epochs, steps=len(self.feed.chunks(0))
        )
        self.average = MovingAverage(model, options.ema) if options.ema else None
        self.state = _State()

    def train(self, folder: Path, fingerprint: str, title: str) -> list[dict[str, float]]:
        """Train to the last epoch, going on from a checkpoint of the same fingerprint.

        The model ends with the weights of the last epoch, or of the one whose validation loss is
        lowest, as ``--keep-epoch`` says; with ``--ema`` these are averages.
        """
        self._resume(folder / CHECKPOINT_FILE, fingerprint)
        epochs, done = self.options.epochs, len(self.state.history)
        # Beside other processes nobody has the terminal to himself: who started them shows it.
        shown = self.options.replicas == 1
        with (
            self._telling_of_memory(title),
            Checkpoints(folder / CHECKPOINT_FILE) as checkpoints,
            progress_bar("train", title, epochs, done, unit="epoch", shown=shown) as bar,
        ):
            for epoch in range(done, epochs):
                row = self._epoch(epoch)
                if self.rank == 0:
                    write_history(folder / HISTORY_FILE, self.state.history)
                    # Last: what it says is there is there.
                    checkpoints.offer(lambda: self._state_to_store(fingerprint))
                bar.advance(note=summarize(row))
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
        return learned_from(self.model, self.split, self.feed.read, self.options.mask_fraction)

    def _epoch(self, epoch: int) -> dict[str, float]:
        started = time.perf_counter()
        torch.manual_seed(seed_of(self.seed, "epoch", epoch))
        self.model.train()
        trained = Averages()
        teacher = self.average.model if self.average else None
        for batch in self.feed.training(epoch, teacher):
            self.optimizer.zero_grad(set_to_none=True)
            with forward_in(self.precision, self.device):
                losses = self.step_model(batch)
            with backward_in(self.precision):
                self.scaler.scale(losses["loss"]).backward()
            self.scaler.step(self.optimizer)
            self.scaler.update()
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
            # Where they are: copied to the CPU, each of them would make it wait.
            self.state.best_model = {k: v.detach().clone() for k, v in weights.items()}
        return row

    def _validate(self) -> dict[str, float]:
        """Return the loss and a classifier's accuracy of all validation images, in each replica."""
        model, total = self.result.eval(), Averages()
        with torch.inference_mode():
            for batch in self.feed.validation():
                losses = model.loss(batch)
                if model.classifies and "accuracy" not in losses:  # a plugin's own loss
                    losses["accuracy"] = accuracy(model(batch.images), batch)
                total.add(losses, len(batch.images))
        return total.result("validation_")

    @contextmanager
    def _telling_of_memory(self, title: str) -> Iterator[None]:
        try:
            yield
        except (RuntimeError, MemoryError) as error:
            if ran_out_of_memory(error):
                raise OutOfMemoryError(
                    f"{title}: training ran out of memory with {self.options.train_batch_size} "
                    "images a step; choose a smaller --train-batch-size or --image-size, or "
                    "--train-precision bf16."
                ) from error
            raise

    def _state_to_store(self, fingerprint: str) -> dict[str, Any]:
        """Return what a training needs to go on from here."""
        return {
            "fingerprint": fingerprint,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "schedule": self.schedule.state_dict(),
            "average": self.average.state_dict() if self.average else None,
            "history": json.dumps(self.state.history),
            "best_loss": self.state.best_loss,
            "best_model": self.state.best_model,
            "read": sorted(self.feed.read),
        }

    def _resume(self, path: Path, fingerprint: str) -> None:
        content = read_checkpoint(path)
        if content.get("fingerprint") != fingerprint:
            return
        self.model.load_state_dict(content["model"])
        self.optimizer.load_state_dict(content["optimizer"])
        self.scaler.load_state_dict(content["scaler"])
        self.schedule.load_state_dict(content["schedule"])
        if self.average:
            self.average.load_state_dict(content["average"])
        self.feed.read.update(content["read"])
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
