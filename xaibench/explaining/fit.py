"""A method's fit: what it learns once for a trained model, stored and taken up again."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from xaibench.core.errors import XaibenchError
from xaibench.core.passes.engine import Engine
from xaibench.core.plugin import Bound
from xaibench.core.progress import progress_bar
from xaibench.core.seeds import seed_of
from xaibench.explaining.failures import blaming
from xaibench.explaining.meter import Meter
from xaibench.explaining.training_set import MaskRows, Rows, TrainingSet
from xaibench.results.sealed import write_sealed
from xaibench.training.checkpoint import pack, read_checkpoint


@dataclass
class FitWords:
    """What a fit may ask for.

    Attributes:
        engine: the trained model's.
        training: its training images.
        classes: K.
        seed: of this model and method.
        title: for people.
        checkpoint: where an interrupted fit is kept; None keeps none.
        fingerprint: what the checkpoint must have been made from.
        meter: of this call.
        earlier: seconds and passes of calls that were interrupted.
    """

    engine: Engine
    training: TrainingSet
    classes: int
    seed: int
    title: str = "a method"
    checkpoint: Path | None = None
    fingerprint: str = ""
    meter: Meter | None = None
    earlier: tuple[float, float] = (0.0, 0.0)
    generator: torch.Generator = field(default_factory=torch.Generator)

    @property
    def training_images(self) -> Rows:
        """``(N, C, H, W)``."""
        return self.training.images

    @property
    def training_labels(self) -> Tensor:
        """``(N,)``."""
        return self.training.labels

    @property
    def training_masks(self) -> MaskRows:
        """``(N, H, W)``."""
        return self.training.masks

    @property
    def predict(self) -> Callable[[Tensor], Tensor]:
        """Images -> confidences ``(B, K)``, without a graph."""
        return self.engine.predict

    @property
    def network(self) -> nn.Module:
        """The model itself."""
        return self.engine.model

    @property
    def device(self) -> torch.device:
        """Where the model lies."""
        return self.engine.device

    @property
    def spent(self) -> tuple[float, float]:
        """Seconds and passes so far, those of interrupted calls among them."""
        now = (0.0, 0.0) if self.meter is None else self.meter.so_far
        return self.earlier[0] + now[0], self.earlier[1] + now[1]

    def resumable(self, steps: int, *parts: Any) -> Iterator[int]:
        """Yield the numbers of the steps that are left, and store the parts after each."""
        done = self._restore(parts)
        with progress_bar("fit", self.title, steps, done) as bar:
            for step in range(done, steps):
                # Whatever the fit draws is the same after an interruption.
                torch.manual_seed(seed_of(self.seed, step))
                self.generator.manual_seed(seed_of(self.seed, step, "generator"))
                yield step
                self._store(step + 1, parts)
                bar.advance()

    def _restore(self, parts: tuple[Any, ...]) -> int:
        stored = {} if self.checkpoint is None else read_checkpoint(self.checkpoint)
        if stored.get("fingerprint") != self.fingerprint or len(stored["parts"]) != len(parts):
            return 0
        for part, state in zip(parts, stored["parts"], strict=True):
            part.load_state_dict(state)
        self.earlier = stored["seconds"], stored["forwards"]
        return int(stored["done"])

    def _store(self, done: int, parts: tuple[Any, ...]) -> None:
        if self.checkpoint is None:
            return
        seconds, forwards = self.spent
        states = [part.state_dict() for part in parts]
        content = {
            "fingerprint": self.fingerprint, "done": done, "parts": states, "seconds": seconds,
            "forwards": forwards,
        }  # fmt: skip
        write_sealed(self.checkpoint, pack(content))


def learn(method: Bound, words: FitWords) -> dict[str, Tensor]:
    """Let a method learn; global random states stay as they were.

    Raises:
        PluginError: it failed, or returned something else than tensors by name.
    """
    devices = [words.device] if words.device.type == "cuda" else []
    with (
        blaming(f"the fit of {method.spec}"),
        torch.inference_mode(mode=False),
        torch.enable_grad(),
        torch.random.fork_rng(devices),
    ):
        torch.manual_seed(words.seed)
        words.generator.manual_seed(seed_of(words.seed, "generator"))
        found = method.learn(words)
        return _checked(method, found)


def _checked(method: Bound, found: object) -> dict[str, Tensor]:
    if isinstance(found, nn.Module):
        found = found.state_dict()
    if not isinstance(found, Mapping) or not all(
        isinstance(name, str) and isinstance(each, Tensor) for name, each in found.items()
    ):
        raise XaibenchError(
            f"the fit of {method.spec} returned a {type(found).__name__}; it must return tensors "
            "by name, or a module, whose state is taken."
        )
    return {name: each.detach().cpu().contiguous() for name, each in found.items()}
