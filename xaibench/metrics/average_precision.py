"""Average precision over one image's pixels: no threshold at all."""

from torch import Tensor

from xaibench.core.regions import where_filled
from xaibench.core.registry import metric
from xaibench.core.truth_precision import average_precision_of


@metric(
    title="Average precision",
    higher_is_better=True,
    paper="arun2021assessing",
    threshold="none: all values that occur",
    ties="equal pixels are marked together",
    pixelwise=True,
)
def average_precision(maps: Tensor, masks: Tensor) -> Tensor:
    """Return sum_n (R_n - R_(n-1)) P_n over the map's distinct values, shape (B,).

    P and R are precision and recall of (map >= value) against (mask > 0). In (0, 1]; NaN where the
    mask is empty. It judges the order of the pixels alone: a constant map, of zeros too, scores as
    chance, the mask's share of the image. One value for each image; `pxap` pools the pixels.

    >>> from torch import tensor
    >>> maps = tensor([[[0.9, 0.8, 0.2], [0.0, 0.5, 0.1]]])
    >>> masks = tensor([[[1, 0, 0], [0, 1, 0]]])
    >>> average_precision(maps, masks)  # (1 / 1 + 2 / 3) / 2
    tensor([0.8333])
    """
    return where_filled(average_precision_of(maps, masks > 0).to(maps.dtype), masks)
