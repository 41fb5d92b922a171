"""How relevant the tissue is at which the map points."""

from torch import Tensor

from xaibench.core.regions import mean_over, peaks, where_filled
from xaibench.core.registry import metric


@metric(
    title="Graded Pointing Game",
    higher_is_better=True,
    bounds=(-1.0, 3.0),
    ties="mean over all pixels at the maximum",
    pixelwise=True,
)
def hit_rate_graded(maps: Tensor, masks: Tensor) -> Tensor:
    """Return the mean grade of the mask beneath all pixels at the map's maximum, shape (B,).

    In [-1, 3] for layered masks (grades -1 to 3), where the true mask reaches 3; in [0, 1] for
    binary masks, where it equals `hit_rate`. A constant map scores the image's mean grade, as a
    random point does. NaN where no grade is positive.

    >>> from torch import tensor
    >>> maps = tensor([[[1.0, 0.5, 1.0], [0.0, 1.0, 0.1]]])
    >>> masks = tensor([[[3, 1, -1], [0, 2, 0]]])
    >>> hit_rate_graded(maps, masks)  # (3 - 1 + 2) / 3
    tensor([1.3333])
    """
    return where_filled(mean_over(masks.to(maps.dtype), peaks(maps)), masks)
