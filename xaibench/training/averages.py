"""Averages of losses over an epoch, kept on the device."""

import torch
from torch import Tensor


class Averages:
    """Averages losses over images; parts of a loss, over the batches where they are no NaN."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, Tensor] = {}

    def add(self, losses: dict[str, Tensor], count: int) -> None:
        """Take a batch's losses, each the mean of ``count`` images."""
        for name, value in losses.items():
            # On the device, so that no step waits for the one before.
            total = value.detach() * count
            counted = torch.full_like(total, count)
            if name != "loss":  # where the loss itself is NaN, training has diverged
                counted = counted.where(~total.isnan(), 0)
                total = total.nan_to_num(nan=0.0)
            self._sums[name] = total + self._sums.get(name, 0)
            self._counts[name] = counted + self._counts.get(name, 0)

    def result(self, prefix: str) -> dict[str, float]:
        """Return the averages, by the losses' names behind a prefix."""
        means = {name: total / self._counts[name] for name, total in self._sums.items()}
        return {f"{prefix}{name}": float(mean) for name, mean in means.items()}
