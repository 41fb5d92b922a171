"""Eigen-CAM: the activations' first principal component, which asks for no class."""

from torch import Tensor

from xaibench.core.cam import principal_map
from xaibench.core.registry import method


@method(paper="muhammad2020eigencam", family="cam")
def eigencam(activations: Tensor) -> Tensor:
    """Return ReLU of the projection on the first principal component, shape (B, h, w).

    The component's sign is arbitrary: the largest absolute value is made positive.
    """
    return principal_map(activations).relu()
