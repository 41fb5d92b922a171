"""Overlap of the thresholded map with the mask."""

from typing import Literal

from torch import Tensor

from xaibench.core.covering import binarise
from xaibench.core.errors import XaibenchError
from xaibench.core.overlap import jaccard
from xaibench.core.registry import metric


@metric(higher_is_better=True)
def iou(
    maps: Tensor,
    masks: Tensor,
    *,
    threshold: float = 0.5,
    of: Literal["maximum", "scale"] = "maximum",
) -> Tensor:
    """Return the Jaccard index of (map >= threshold * max(map)) and (mask > 0), shape (B,).

    In [0, 1]; NaN where the mask is empty; 0 for a map of zeros, which predicts nothing. With
    ``of=scale`` the threshold itself is the limit: the binary saliency of a map of probabilities,
    which may be empty. For min-max rescaled maps both are the same.

    >>> from torch import tensor
    >>> maps = tensor([[[1.0, 0.5, 0.2], [0.0, 0.6, 0.1]]])
    >>> masks = tensor([[[1, 0, 0], [1, 1, 0]]])
    >>> iou(maps, masks)  # marks 3 pixels, 2 of 3 true ones: 2 / 4
    tensor([0.5000])
    """
    if not 0 < threshold <= 1:
        raise XaibenchError(f"iou[threshold={threshold}]: choose a number above 0, up to 1.")
    predicted = binarise(maps, threshold) if of == "maximum" else maps >= threshold
    return jaccard(predicted, masks > 0)
