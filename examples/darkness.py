"""Darkness: dark places count as evidence, as lesions are dark in ultrasound."""

from torch import Tensor

import xaibench


@xaibench.method(family="other")
def darkness(images: Tensor) -> Tensor:
    """Return one minus the mean over channels, shape (B, H, W)."""
    return 1 - images.mean(dim=1)
