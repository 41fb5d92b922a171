"""HiResCAM: activations multiplied by their gradients, place by place."""

from torch import Tensor

from xaibench.core.registry import method


@method(paper="draelos2020hirescam", family="cam")
def hirescam(activations: Tensor, gradients: Tensor) -> Tensor:
    """Return ReLU(sum_d dy/dA_d * A_d), shape (B, h, w)."""
    return (gradients * activations).sum(dim=1).relu()
