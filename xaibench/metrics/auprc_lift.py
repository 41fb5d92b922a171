"""AUPRC lift: how many times better than chance the order of the pixels is."""

import math

from torch import Tensor

from xaibench.core.regions import where_filled
from xaibench.core.registry import metric
from xaibench.core.truth_precision import average_precision_of


@metric(
    higher_is_better=True,
    paper="davis2006relationship",
    bounds=(0.0, math.inf),
    threshold="none: all values that occur",
    ties="equal pixels are marked together",
    pixelwise=True,
    title="AUPRC lift",
)
def auprc_lift(maps: Tensor, masks: Tensor) -> Tensor:
    """Return `average_precision` divided by the mask's share of the image, shape (B,).

    1 by chance and for a constant map; the truth reaches one over the mask's share, so that small
    masks can have large values. In (0, inf); NaN where the mask is empty.

    >>> from torch import tensor
    >>> maps = tensor([[[0.9, 0.8, 0.2], [0.0, 0.5, 0.1]]])
    >>> masks = tensor([[[1, 0, 0], [0, 1, 0]]])
    >>> auprc_lift(maps, masks)  # (1 / 1 + 2 / 3) / 2 of 2 / 6
    tensor([2.5000])
    """
    share = (masks > 0).flatten(1).double().mean(dim=1)
    return where_filled((average_precision_of(maps, masks > 0) / share).to(maps.dtype), masks)
