"""Grad-CAM++: positive gradients count, weighted by how much of the score each place carries."""

from torch import Tensor, einsum

from xaibench.core.cam import plus_plus_weights
from xaibench.core.registry import method


@method(paper="chattopadhay2018gradcampp", family="cam")
def gradcam_pp(activations: Tensor, gradients: Tensor) -> Tensor:
    """Return ReLU(sum_d w_d * A_d), w_d = sum_hw alpha * ReLU(g), shape (B, h, w).

    alpha = g^2 / (2 g^2 + g^3 sum_hw A) = 1 / (2 + g sum_hw A), the closed form for an exponential
    score.
    """
    weights = plus_plus_weights(gradients[:, None], activations)
    return einsum("bd,bdhw->bhw", weights, activations).relu()
