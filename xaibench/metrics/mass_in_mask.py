"""Energy Pointing Game: how much of the map's mass lies in the mask."""

from torch import Tensor

from xaibench.core.regions import where_filled
from xaibench.core.registry import metric


@metric(
    higher_is_better=True,
    paper="wang2020scorecam",
    pixelwise=True,
    title="Energy Pointing Game",
)
def mass_in_mask(maps: Tensor, masks: Tensor) -> Tensor:
    """Return the share of the map's mass that lies inside the mask, shape (B,).

    In [0, 1]; NaN where the mask is empty; 0 for a map of zeros, which marks nothing.

    >>> from torch import tensor
    >>> maps = tensor([[[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]]])
    >>> masks = tensor([[[1, 0, 0], [1, 0, 0]]])
    >>> mass_in_mask(maps, masks)
    tensor([0.7500])
    """
    total = maps.sum(dim=(1, 2))
    inside = (maps * (masks > 0)).sum(dim=(1, 2))
    return where_filled((inside / total).where(total > 0, 0.0), masks)
