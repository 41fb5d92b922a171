"""LayerCAM: activations weighted by their positive gradients, place by place."""

from torch import Tensor

from xaibench.core.registry import method


@method(paper="jiang2021layercam", family="cam")
def layercam(activations: Tensor, gradients: Tensor) -> Tensor:
    """Return ReLU(sum_d ReLU(dy/dA_d) * A_d), shape (B, h, w)."""
    return (gradients.relu() * activations).sum(dim=1).relu()
