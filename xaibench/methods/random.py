"""Control: noise."""

from torch import Tensor

from xaibench.core.registry import method
from xaibench.core.seeds import BatchGenerator


@method(family="control", blind=True)
def random(images: Tensor, generator: BatchGenerator) -> Tensor:
    """Return independent uniform noise, shape (B, H, W)."""
    return generator.uniform(*images.shape[2:])
