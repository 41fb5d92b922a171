"""Relevance Rank Accuracy: how many of the highest pixels lie inside the mask."""

from torch import Tensor

from xaibench.core.overlap import expected_top
from xaibench.core.regions import where_filled
from xaibench.core.registry import metric


@metric(
    higher_is_better=True,
    paper="arras2022clevrxai",
    threshold="none: as many pixels as the mask has",
    ties="pixels tied at the last place share the room that is left",
    pixelwise=True,
    title="Relevance Rank Accuracy",
)
def rank_accuracy(maps: Tensor, masks: Tensor) -> Tensor:
    """Return the share of the map's k highest pixels inside the mask of k pixels, shape (B,).

    In [0, 1]; NaN where the mask is empty; 0 for a map of zeros, which has no highest pixels. Where
    pixels tie at the k-th place, each has the same chance to be taken: the expected share.

    >>> from torch import tensor
    >>> maps = tensor([[[0.9, 0.8, 0.2], [0.0, 0.1, 0.1]]])
    >>> masks = tensor([[[1, 0, 0], [1, 0, 0]]])
    >>> rank_accuracy(maps, masks)  # takes 2 pixels, 1 of them true
    tensor([0.5000])
    """
    truth = masks > 0
    size = truth.flatten(1).sum(dim=1)
    return where_filled(expected_top(maps, truth, size) / size, masks)
