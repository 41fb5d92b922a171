"""Control: Fake-CAM, which marks everything and loses no confidence."""

import torch
from torch import Tensor

from xaibench.core.registry import method


@method(paper="poppi2021revisiting", family="control", sign="none", rescale="none", blind=True)
def all_ones(images: Tensor) -> Tensor:
    """Return ones, shape (B, H, W)."""
    return torch.ones_like(images[:, 0])
