"""The pointing game with a penalty for pointing outside."""

from torch import Tensor

from xaibench.core.regions import mean_over, outside, peaks, top, where_filled
from xaibench.core.registry import metric


@metric(
    title="Signed Pointing Game",
    higher_is_better=True,
    bounds=(-1.0, 1.0),
    ties="mean over all pixels at the maximum",
    pixelwise=True,
)
def hit_rate_signed(maps: Tensor, masks: Tensor) -> Tensor:
    """Return +1 where the map's peak lies on the top grade, -1 outside, 0 between, shape (B,).

    The top is the mask's highest grade, where positive; outside is its lowest, where 0 or less:
    grades 3 and -1 of a layered mask, 1 and 0 of a binary one (for which this is 2 hit_rate - 1).
    Where several pixels share the maximum, their mean. NaN where no grade is positive.

    >>> from torch import tensor
    >>> maps = tensor([[[0.9, 0.5, 0.2], [0.0, 0.6, 0.1]], [[1.0, 0.5, 1.0], [1.0, 0.1, 0.1]]])
    >>> masks = tensor([[[1, 0, 0], [1, 0, 0]], [[3, 1, -1], [0, 2, 0]]])
    >>> hit_rate_signed(maps, masks)  # 1, then (1 - 1 + 0) / 3
    tensor([1., 0.])
    """
    worth = top(masks).to(maps.dtype) - outside(masks).to(maps.dtype)
    return where_filled(mean_over(worth, peaks(maps)), masks)
