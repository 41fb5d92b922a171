"""Hausdorff distance between the thresholded map and the mask, the farthest twentieth left out."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from xaibench.core.overlap import Of, mark
from xaibench.core.regions import where_filled
from xaibench.core.registry import metric

_PERCENTILE = 95


@metric(
    higher_is_better=False,
    paper="huttenlocher1993comparing",
    threshold="fixed: the same share of each map's maximum for all methods",
    ties="pixels at the threshold are marked",
    title="Hausdorff 95 %",
)
def hausdorff95(
    maps: Tensor, masks: Tensor, *, threshold: float = 0.5, of: Of = "maximum"
) -> Tensor:
    """Return max(q95 d(P, T), q95 d(T, P)) as a share of the image's diagonal, shape (B,).

    P and T are the borders of (map >= threshold * max(map)) and (mask > 0): their pixels that touch
    the outside by a side, or the image's end. d are the distances of one border's pixels from the
    nearest of the other's, q95 their 95th percentile. In [0, 1]; lower is better; 1 where the map
    marks nothing, such as a map of zeros; NaN where the mask is empty.

    Options:
        threshold: share of the maximum.
        of: what the threshold is a share of; ``scale`` takes it as it is.

    >>> from torch import tensor
    >>> maps = tensor([[[1.0, 0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0, 0.0]]])
    >>> masks = tensor([[[0, 0, 0, 1, 0], [0, 0, 0, 0, 0]]])
    >>> hausdorff95(maps, masks)  # 3 pixels of sqrt(29)
    tensor([0.5571])
    """
    predicted = mark("hausdorff95", maps, threshold, of).cpu().numpy()
    truths, diagonal = (masks > 0).cpu().numpy(), math.hypot(*masks.shape[1:])
    found = [
        _distance(ours, theirs) / diagonal if ours.any() and theirs.any() else 1.0
        for ours, theirs in zip(predicted, truths, strict=True)
    ]
    return where_filled(torch.tensor(found).to(maps), masks)


def _distance(ours: NDArray[np.bool_], theirs: NDArray[np.bool_]) -> float:
    borders = [region & ~ndimage.binary_erosion(region) for region in (ours, theirs)]
    ways = [
        np.percentile(ndimage.distance_transform_edt(~there)[here], _PERCENTILE)
        for here, there in (borders, borders[::-1])
    ]
    return float(max(ways))
