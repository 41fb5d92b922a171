"""Pointing Game: whether the highest point of the map lies in the mask."""

import math

from torch import Tensor
from torch.nn import functional

from xaibench.core.errors import XaibenchError
from xaibench.core.regions import mean_over, peaks, where_filled
from xaibench.core.registry import metric


@metric(
    higher_is_better=True,
    paper="zhang2018excitation",
    ties="the chance that one drawn among the tied peaks hits",
    display="Pointing Game",
)
def hit_rate(maps: Tensor, masks: Tensor, *, tolerance: float = 0.0) -> Tensor:
    """Return whether the map's peak lies inside the mask, shape (B,).

    Where several pixels share the maximum, the chance that one drawn among them hits; so a
    constant map scores as a random point does. ``tolerance`` widens the mask by that share of the
    image's diagonal. NaN where the mask is empty.

    >>> from torch import tensor
    >>> maps = tensor([[[1.0, 0.5, 0.2], [0.0, 1.0, 0.1]]])
    >>> masks = tensor([[[1, 0, 0], [1, 0, 0]]])
    >>> hit_rate(maps, masks)  # two peaks, one of them inside
    tensor([0.5000])
    """
    if not 0 <= tolerance < 1:
        raise XaibenchError(f"hit_rate[tolerance={tolerance}]: choose a share of the diagonal.")
    truth = masks > 0
    # A hair above, as 0.29 of 100 is 28.999999999999996.
    radius = int(tolerance * math.hypot(*masks.shape[1:]) + 1e-9)
    if radius:
        truth = _widen(truth.float(), radius) > 0
    return where_filled(mean_over(truth, peaks(maps)), masks)


def _widen(truth: Tensor, radius: int) -> Tensor:
    """Grow the mask by a disc, row by row: each row of the disc is a horizontal maximum."""
    height = truth.shape[1]
    padded = functional.pad(truth, (0, 0, radius, radius))
    grown = truth
    for offset in range(-radius, radius + 1):
        reach = math.isqrt(radius * radius - offset * offset)
        rows = padded[:, radius + offset : radius + offset + height]
        wide = functional.max_pool2d(rows, (1, 2 * reach + 1), stride=1, padding=(0, reach))
        grown = grown.maximum(wide)
    return grown
