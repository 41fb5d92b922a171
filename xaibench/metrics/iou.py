"""Overlap of the thresholded map with the mask."""

from typing import Literal

from torch import Tensor

from xaibench.core.otsu import mark_of
from xaibench.core.overlap import Of, jaccard
from xaibench.core.registry import metric


@metric(
    title="IoU",
    higher_is_better=True,
    threshold="fixed: the same share of each map's maximum for all methods; of=otsu: each map's "
    "own",
    ties="pixels at the threshold are marked",
    pixelwise=True,
)
def iou(
    maps: Tensor,
    masks: Tensor,
    *,
    threshold: float = 0.5,
    of: Literal[Of, "otsu"] = "maximum",
) -> Tensor:
    """Return the Jaccard index of (map >= threshold * max(map)) and (mask > 0), shape (B,).

    In [0, 1]; NaN where the mask is empty; 0 for a map of zeros, which predicts nothing. With
    ``of=scale`` the threshold itself is the limit: the binary saliency of a map of probabilities,
    which may be empty. For min-max rescaled maps both are the same. With ``of=otsu`` each map's own
    threshold divides its values best into two classes (otsu1979threshold), and none is given.

    >>> from torch import tensor
    >>> maps = tensor([[[1.0, 0.5, 0.2], [0.0, 0.6, 0.1]]])
    >>> masks = tensor([[[1, 0, 0], [1, 1, 0]]])
    >>> iou(maps, masks)  # marks 3 pixels, 2 of 3 true ones: 2 / 4
    tensor([0.5000])
    """
    return jaccard(mark_of("iou", maps, threshold, of), masks > 0)
