"""How hot the map is on the background."""

from torch import Tensor

from xaibench.core.regions import mean_over, outside, where_filled
from xaibench.core.registry import metric


@metric(title="Coverage outside", higher_is_better=False, pixelwise=True)
def coverage_outside(maps: Tensor, masks: Tensor) -> Tensor:
    """Return the map's mean over the background, shape (B,).

    The background is the mask's lowest grade, where 0 or less: -1 of a layered mask, 0 of a binary
    one. In [0, 1]; lower is better; NaN where no grade is positive or nothing is background. A map
    of zeros reaches 0, for it marks nothing: read it beside `coverage`.

    >>> from torch import tensor
    >>> maps = tensor([[[1.0, 0.5, 0.2], [0.0, 0.6, 0.1]], [[1.0, 0.5, 0.2], [0.0, 0.6, 0.1]]])
    >>> masks = tensor([[[3, 1, -1], [0, 2, -1]], [[1, 0, 0], [0, 1, 0]]])
    >>> coverage_outside(maps, masks)  # (0.2 + 0.1) / 2, then (0.5 + 0.2 + 0 + 0.1) / 4
    tensor([0.1500, 0.2000])
    """
    return where_filled(mean_over(maps, outside(masks)), masks)
