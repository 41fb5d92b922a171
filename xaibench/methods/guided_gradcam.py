"""Guided Grad-CAM: guided backpropagation inside of what Grad-CAM marks."""

from collections.abc import Callable

from torch import Tensor, einsum

from xaibench.core.maps import resize
from xaibench.core.passes.rules import guided
from xaibench.core.registry import method


@method(paper="selvaraju2017gradcam", family="gradient", sign="none")
def guided_gradcam(
    images: Tensor,
    activations: Tensor,
    gradients: Tensor,
    differentiate: Callable[[Tensor], Tensor],
) -> Tensor:
    """Return Grad-CAM, resized, times max over channels of |guided dy/dx|, shape (B, H, W)."""
    coarse = einsum("bd,bdhw->bhw", gradients.mean(dim=(2, 3)), activations).relu()
    with guided():
        fine = differentiate(images).abs().amax(dim=1)
    return resize(coarse, (images.shape[2], images.shape[3])) * fine
