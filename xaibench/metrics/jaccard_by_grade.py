"""Overlap with one grade of a layered mask, over many thresholds."""

from itertools import pairwise

from torch import Tensor

from xaibench.core.errors import XaibenchError
from xaibench.core.overlap import jaccard_curve
from xaibench.core.registry import metric

_EVERY = tuple(step / 100 for step in range(50, 100, 5))


@metric(
    title="Jaccard by grade",
    higher_is_better=True,
    threshold="fixed: mean over shares of each map's maximum, the same for all methods",
    ties="pixels at a threshold are marked",
    pixelwise=True,
)
def jaccard_by_grade(
    maps: Tensor, masks: Tensor, *, grade: int = 1, thresholds: tuple[float, ...] = _EVERY
) -> Tensor:
    """Return the Jaccard index of (map >= t * max(map)) and (mask == grade), mean over t, (B,).

    In [0, 1]; NaN where no pixel has the grade; 0 for a map of zeros. Binary masks have grade 1.

    Options:
        grade: the layer's relevance grade.
        thresholds: t, ascending; 0.50, 0.55, ... 0.95 unless told.

    >>> from torch import tensor
    >>> maps = tensor([[[1.0, 0.9, 0.6], [0.0, 0.6, 0.1]]])
    >>> masks = tensor([[[1, 3, 0], [1, 1, 0]]])
    >>> jaccard_by_grade(maps, masks, thresholds=(0.5, 0.8))  # 2 of 5, then 1 of 4
    tensor([0.3250])
    """
    ascending = all(low < high for low, high in pairwise(thresholds))
    if not thresholds or not ascending or not 0 < thresholds[0] <= thresholds[-1] <= 1:
        raise XaibenchError("jaccard_by_grade: 'thresholds' ascend above 0, up to 1.")
    return jaccard_curve(maps, masks == grade, thresholds).mean(dim=1)
