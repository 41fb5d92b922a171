"""Control: the truth on the CAM layer's grid, the best that a map of so few cells can score."""

from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from xaibench.core.registry import method


@method(family="control")
def ceiling(activations: Tensor, masks: Tensor) -> Tensor:
    """Return the mean over each cell of (mask > 0), shape (B, h, w).

    It is resized and scored like any map of that grid. A method whose map has more cells is bounded
    by `oracle` instead.
    """
    truth, (height, width) = (masks > 0).to(activations.dtype), activations.shape[2:]
    return adaptive_avg_pool2d(truth, (height, width))
