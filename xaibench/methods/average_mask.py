"""Control: where evidence lies on average."""

from torch import Tensor

from xaibench.core.registry import method


@method(family="control", blind=True)
def average_mask(images: Tensor, mean_mask: Tensor) -> Tensor:
    """Return the average of the training masks that may be seen, shape (B, H, W)."""
    return mean_mask.expand(len(images), -1, -1)
