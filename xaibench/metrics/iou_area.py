"""Overlap without any threshold: as many pixels as the mask has."""

from torch import Tensor

from xaibench.core.overlap import expected_top, intersection_over_union
from xaibench.core.registry import metric


@metric(
    title="Area-matched IoU",
    higher_is_better=True,
    threshold="none: as many pixels as the mask has",
    ties="pixels tied at the last place share the room that is left",
    pixelwise=True,
)
def iou_area(maps: Tensor, masks: Tensor) -> Tensor:
    """Return the Jaccard index of the map's k highest pixels and the mask of k pixels, (B,).

    In [0, 1]; NaN where the mask is empty; 0 for a map of zeros. Where pixels tie at the k-th
    place, each has the same chance to be taken: the expected overlap is counted.

    >>> from torch import tensor
    >>> maps = tensor([[[0.9, 0.8, 0.2], [0.0, 0.1, 0.1]]])
    >>> masks = tensor([[[1, 0, 0], [1, 0, 0]]])
    >>> iou_area(maps, masks)  # takes 2 pixels, 1 of them true: 1 / 3
    tensor([0.3333])
    """
    truth = masks > 0
    size = truth.flatten(1).sum(dim=1)
    shared = expected_top(maps, truth, size)
    return intersection_over_union(shared, 2 * size - shared, size)
