"""Overlap at the best threshold on the evaluated images: an upper bound, never ranked."""

from torch import Tensor

from xaibench.core.overlap import GRID, jaccard_curve
from xaibench.core.registry import metric


def _best(curve: Tensor) -> Tensor:
    return curve.max()


@metric(
    title="Best IoU",
    higher_is_better=True,
    threshold="oracle: the best of 0.01, 0.02, ... 1.00 of the maximum on the evaluated images",
    ties="pixels at a threshold are marked",
    pool=_best,
    ranked=False,
    pixelwise=True,
)
def iou_best(maps: Tensor, masks: Tensor) -> Tensor:
    """Return the Jaccard index of (map >= t * max(map)) and (mask > 0) for each t, shape (B, 100).

    The value of a set of images is the mean Jaccard index at the one t that is best for the set:
    what `iou_tuned` could reach with perfect tuning. In [0, 1]; a row of NaN where the mask is
    empty; 0 for a map of zeros.

    >>> from torch import tensor
    >>> maps = tensor([[[1.0, 0.5, 0.2], [0.0, 0.6, 0.1]], [[0.9, 0.9, 0.7], [0.0, 0.2, 0.2]]])
    >>> masks = tensor([[[1, 0, 0], [1, 1, 0]], [[1, 1, 1], [0, 0, 0]]])
    >>> _best(iou_best(maps, masks).mean(dim=0))  # 2 / 3 and 1, at 0.55
    tensor(0.8333)
    """
    return jaccard_curve(maps, masks > 0, GRID)
