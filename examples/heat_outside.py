"""Heat outside the mask: how much of the background a map marks."""

from torch import Tensor

import xaibench


@xaibench.metric(higher_is_better=False)
def heat_outside(maps: Tensor, masks: Tensor) -> Tensor:
    """Return the mean heat over the background, shape (B,); NaN where there is none."""
    background = masks <= 0
    return (maps * background).sum(dim=(1, 2)) / background.sum(dim=(1, 2))
