"""How much a map marks where there is nothing to mark."""

import math

from torch import Tensor

from xaibench.core.overlap import mark
from xaibench.core.regions import filled
from xaibench.core.registry import metric


@metric(
    title="False alarm mass",
    higher_is_better=False,
    counted="empty",
    threshold="fixed: the same share of the scale for all methods",
    ties="pixels at the threshold are marked",
    pixelwise=True,
)
def false_alarm_mass(maps: Tensor, masks: Tensor, *, threshold: float = 0.5) -> Tensor:
    """Return the share of the image where map >= threshold, if the mask is empty, shape (B,).

    In [0, 1]; lower is better; NaN where some grade is positive. The threshold is a share of the
    scale, not of the map's maximum. Only maps that are probabilities can pass: one that is
    stretched to [0, 1] per image always has pixels above any threshold, unless it was constant.

    >>> from torch import tensor
    >>> maps = tensor([[[0.9, 0.5, 0.2], [0.0, 0.6, 0.1]], [[0.4, 0.1, 0.2], [0.0, 0.1, 0.1]]])
    >>> false_alarm_mass(maps, tensor(0).expand(2, 2, 3))  # 3 of 6 pixels, then none
    tensor([0.5000, 0.0000])
    """
    marked = mark("false_alarm_mass", maps, threshold, "scale")
    share = marked.to(maps.dtype).mean(dim=(1, 2))
    return share.where(~filled(masks), math.nan)
