"""What a session knows of the run beside the images: training images, masks, what was learned."""

from collections.abc import Mapping
from typing import Self

from torch import Tensor

from xaibench.core.contract import TRAINING_WORDS
from xaibench.core.errors import XaibenchError
from xaibench.core.passes.question import Known
from xaibench.core.plugin import Bound
from xaibench.explaining.training_set import TrainingSet


class Beside:
    """Nothing; a run's session knows more."""

    @property
    def mean_mask(self) -> Tensor | None:
        """The average ``(H, W)`` of the training masks; None where there are none."""
        return None

    @property
    def training(self) -> TrainingSet | None:
        """The model's training images; None where there are none."""
        return None

    @property
    def randomized(self) -> Self:
        """The same with random weights in all layers.

        Raises:
            XaibenchError: there is nothing to take such a network's statistics from.
        """
        raise XaibenchError("it randomizes the network, which only a run on a dataset can.")

    def fitted(self, _method: Bound) -> Mapping[str, Tensor] | None:
        """Return what a method's fit has learned for the model; None where there is nothing."""
        return None

    def known(self, method: Bound) -> Known:
        """Return what of the run a method asks for beside the images."""
        words = set(method.plugin.signature.words)
        return Known(
            self.mean_mask if "mean_mask" in words else None,
            self.training if words & TRAINING_WORDS else None,
            self.fitted(method) if "fitted" in words else None,
        )
