"""LIFT-CAM: activation maps weighted by DeepLIFT's part of each in the logit."""

from collections.abc import Callable

import torch
from torch import Tensor, einsum

from xaibench.core.registry import method


@method(paper="jung2021liftcam", family="cam")
def liftcam(
    activations: Tensor,
    layer_multipliers: Callable[[Tensor], tuple[Tensor, Tensor]],
    promise: Callable[[Tensor, Tensor], None],
) -> Tensor:
    """Return ReLU(sum_d w_d A_d), w_d = sum_hw m A_d, shape (B, h, w).

    m are the multipliers of the rescale rule against activations of zero; the weights add up to
    what the logit gains by the activations.
    """
    found, change = layer_multipliers(torch.zeros_like(activations))
    weights = (found * activations).sum(dim=(2, 3))
    promise(weights, change)
    return einsum("bd,bdhw->bhw", weights, activations).relu()
