"""Grad-CAM: activation maps weighted by their spatially averaged gradient."""

from torch import Tensor, einsum

from xaibench.core.registry import method


@method(paper="selvaraju2017gradcam", family="cam")
def gradcam(activations: Tensor, gradients: Tensor) -> Tensor:
    """Return ReLU(sum_d mean_hw(dy/dA_d) * A_d), shape (B, h, w)."""
    weights = gradients.mean(dim=(2, 3))
    return einsum("bd,bdhw->bhw", weights, activations).relu()
