"""CAM: activation maps weighted by the last linear layer's own weights."""

from torch import Tensor, einsum

from xaibench.core.registry import method


@method(paper="zhou2016cam", family="cam")
def cam(activations: Tensor, class_weights: Tensor) -> Tensor:
    """Return sum_d w_d * A_d, shape (B, h, w); only for heads of pooling and one layer.

    Its mean and the class's bias make up the logit.
    """
    return einsum("bd,bdhw->bhw", class_weights, activations)
