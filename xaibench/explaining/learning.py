"""The session of a network whose training images are given: methods learn when they are asked."""

from collections.abc import Mapping

import torch
from torch import Tensor

from xaibench.core.errors import XaibenchError
from xaibench.core.passes.engine import Engine
from xaibench.core.plugin import Bound
from xaibench.core.seeds import seed_of
from xaibench.explaining.fit import FitWords, learn
from xaibench.explaining.session import Session
from xaibench.explaining.training_set import MaskRows, Rows, TrainingSet

Fits = dict[tuple[str, int], Mapping[str, Tensor]]
"""What methods have learned, by spec and seed."""


def images_alone(training_images: Tensor, images: Tensor) -> TrainingSet:
    """Return training images of which neither classes nor masks are known.

    Raises:
        XaibenchError: they have another shape than the images that are explained.
    """
    if training_images.shape[1:] != images.shape[1:]:
        raise XaibenchError(
            f"training_images must be (N, {', '.join(map(str, images.shape[1:]))}), as images are, "
            f"not {tuple(training_images.shape)}."
        )
    count = len(training_images)
    unknown = training_images.new_zeros(0, dtype=torch.long)
    hidden = MaskRows(torch.zeros(count, dtype=torch.bool), unknown.__getitem__)
    return TrainingSet(Rows(count, training_images.__getitem__), unknown, hidden)


class Learning(Session):
    """A user's network that explains, and lets methods learn."""

    def __init__(
        self, engine: Engine, training: TrainingSet | None, fits: Fits, *, seed: int
    ) -> None:
        """Take a network.

        Args:
            engine: runs its passes.
            training: its training images, None where nobody gave them.
            fits: keeps what methods learn, for other calls, too.
            seed: of methods that draw random numbers.
        """
        super().__init__(engine, "the model", seed=seed)
        self._training, self._fits = training, fits

    @property
    def training(self) -> TrainingSet | None:
        """The training images."""
        return self._training

    def fitted(self, method: Bound) -> Mapping[str, Tensor] | None:
        """Return what a method's fit learns of the training images, once for each seed."""
        if self._training is None:
            return None
        key = method.spec, self.seed
        if key not in self._fits:
            seed = seed_of(self.seed, method.spec, "fit")
            classes = self.engine.predict(self._training.images[:1]).shape[1]
            found = learn(method, FitWords(self.engine, self._training, classes, seed))
            self._fits[key] = {name: each.to(self.engine.device) for name, each in found.items()}
        return self._fits[key]
