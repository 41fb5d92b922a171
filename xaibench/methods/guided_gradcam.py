"""Guided Grad-CAM: guided backpropagation inside of what Grad-CAM marks."""

from collections.abc import Callable

from torch import Tensor, einsum

from xaibench.core.maps import resize
from xaibench.core.registry import method


@method(paper="selvaraju2017gradcam", family="gradient", sign="none")
def guided_gradcam(
    images: Tensor,
    activations: Tensor,
    gradients: Tensor,
    differentiate: Callable[..., Tensor],
) -> Tensor:
    """Return Grad-CAM, resized, times max over channels of |guided dy/dx|, shape (B, H, W)."""
    coarse = einsum("bd,bdhw->bhw", gradients.mean(dim=(2, 3)), activations).relu()
    fine = differentiate(images, guided=True).abs().amax(dim=1)
    return resize(coarse, (images.shape[2], images.shape[3])) * fine
