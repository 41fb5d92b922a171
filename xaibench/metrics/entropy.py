"""Entropy of the map: over how many pixels its mass is spread."""

import math
from typing import Literal

import torch
from torch import Tensor

from xaibench.core.registry import metric


@metric(
    title="Entropy",
    higher_is_better=False,
    paper="bhatt2020evaluating",
    family="complexity",
    bounds=(0.0, math.inf),
    counted="any",
    ties="of no account",
)
def entropy(maps: Tensor, *, unit: Literal["nats", "share"] = "nats") -> Tensor:
    """Return -sum_i q_i log(q_i), q the map divided by its sum, shape (B,).

    From 0, all mass on one pixel, to log(HW), all pixels alike; a map of zeros is as even as any
    constant map: log(HW). Lower is less complex. Natural logarithm; ``unit=share`` divides by
    log(HW), so that images of any size compare.

    >>> from torch import tensor
    >>> entropy(tensor([[[0.5, 0.5, 0.0]], [[0.0, 1.0, 0.0]], [[0.0, 0.0, 0.0]]]))
    tensor([0.6931, 0.0000, 1.0986])
    """
    values = maps.flatten(1).double()
    total = values.sum(dim=1, keepdim=True)
    most = math.log(values.shape[1])
    spread: Tensor = torch.special.entr(values / total).sum(dim=1)
    found = spread.where(total[:, 0] > 0, most).clamp(0, most)
    return (found if unit == "nats" else found / most).to(maps.dtype)
