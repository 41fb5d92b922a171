"""XGrad-CAM: gradients averaged with the activations' own share of each place as weight."""

import torch
from torch import Tensor, einsum

from xaibench.core.registry import method


@method(paper="fu2020xgradcam", family="cam")
def xgradcam(activations: Tensor, gradients: Tensor) -> Tensor:
    """Return ReLU(sum_d w_d * A_d), w_d = sum_hw(g * A) / sum_hw(A), shape (B, h, w)."""
    total = activations.sum(dim=(2, 3))
    weights = (gradients * activations).sum(dim=(2, 3)) / total
    return einsum("bd,bdhw->bhw", torch.where(total != 0, weights, 0.0), activations).relu()
