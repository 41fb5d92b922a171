"""Eigen-Grad-CAM: the first principal component of activations times gradients."""

from torch import Tensor

from xaibench.core.cam import principal_map
from xaibench.core.registry import method


@method(paper="muhammad2020eigencam", family="cam")
def eigengradcam(activations: Tensor, gradients: Tensor) -> Tensor:
    """Return ReLU of the projection of g * A on its first principal component, shape (B, h, w).

    Eigen-CAM with the target's gradients, as pytorch-grad-cam has it; the sign is fixed likewise.
    """
    return principal_map(activations * gradients).relu()
