"""A model whose weights are the average of the latest steps' weights."""

from typing import cast

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from xaibench.core.model import Model

_Weights = tuple[Tensor, ...] | list[Tensor]


class MovingAverage:
    """An exponential moving average of a model's weights; its other buffers are the model's.

    After step t the average keeps min(decay, (1 + t) / (10 + t)) of itself, so that short trainings
    don't end near where they began.
    """

    def __init__(self, model: Model, decay: float) -> None:
        self._decay = decay
        self._average = AveragedModel(model, multi_avg_fn=self._update)

    @property
    def model(self) -> Model:
        """The averaged model."""
        return cast("Model", self._average.module)

    def take(self, model: Model) -> None:
        """Take a step's weights into the average."""
        self._average.update_parameters(model)

    def state_dict(self) -> dict[str, Tensor]:
        """Return what `load_state_dict` takes."""
        return self._average.state_dict()

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on from a stored average."""
        self._average.load_state_dict(state)

    @torch.no_grad()
    def _update(self, averages: _Weights, latest: _Weights, steps: Tensor | int) -> None:
        # A tensor and no number, so that no step waits for the one before.
        count = torch.as_tensor(steps)
        kept = ((1 + count) / (10 + count)).clamp(max=self._decay)
        for average, weight in zip(averages, latest, strict=True):
            average.lerp_(weight, 1 - kept)
