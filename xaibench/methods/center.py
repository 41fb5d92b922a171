"""Control: the middle of the image."""

import torch
from torch import Tensor

from xaibench.core.registry import method


@method(family="control", blind=True, aliases=("centre",))
def center(images: Tensor) -> Tensor:
    """Return a Gaussian around the center, a quarter of each side wide, shape (B, H, W)."""
    height, width = images.shape[2:]
    rows = _bump(height).to(images.device)
    columns = _bump(width).to(images.device)
    return torch.outer(rows, columns).expand(len(images), -1, -1)


def _bump(length: int) -> Tensor:
    steps = (torch.arange(length) + 0.5) / length - 0.5
    return torch.exp(-0.5 * (steps / 0.25) ** 2)
