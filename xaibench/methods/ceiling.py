"""Control: the truth on the CAM layer's grid, the best that a map of so few cells can score."""

from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from xaibench.core.registry import method


@method(family="control")
def ceiling(activations: Tensor, masks: Tensor) -> Tensor:
    """Return the mean over each cell of the mask's positive grades, shape (B, h, w).

    It is resized and scored like any map of that grid. A method whose map has more cells is bounded
    by `oracle` instead.
    """
    grades, (height, width) = masks.to(activations.dtype).relu(), activations.shape[2:]
    return adaptive_avg_pool2d(grades, (height, width))
