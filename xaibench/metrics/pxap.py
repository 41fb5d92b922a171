"""PxAP: average precision over all images' pixels in one pool."""

import torch
from torch import Tensor

from xaibench.core.errors import XaibenchError
from xaibench.core.regions import where_filled
from xaibench.core.registry import metric


def _area(histograms: Tensor) -> Tensor:
    """Sum precision times gain of recall, from the highest bin to the lowest."""
    hits, marked = histograms.double().view(2, -1).flip(1).cumsum(dim=1)
    precision = hits / marked.where(marked > 0, 1.0)
    gain = hits.diff(prepend=hits.new_zeros(1)) / hits[-1]
    area: Tensor = (precision * gain).sum()
    return area


@metric(
    higher_is_better=True,
    paper="choe2020wsol",
    threshold="none: all steps of the scale",
    ties="pixels of one bin are marked together",
    pool=_area,
    pixelwise=True,
    title="PxAP",
)
def pxap(maps: Tensor, masks: Tensor, *, bins: int = 1000) -> Tensor:
    """Return how many pixels of the mask, and of the whole image, each bin of the scale holds.

    The value of a set of images is the sum of precision times gain of recall over the thresholds
    0, 1 / bins, 2 / bins, ... 1 of the scale, with all images' pixels in one pool: large masks
    count for more, and maps must agree on a scale. Another estimand than the mean of
    `average_precision`. In (0, 1]; a row of NaN where the mask is empty; shape (B, 2 (bins + 1)).

    >>> from torch import tensor
    >>> maps = tensor([[[0.9, 0.8, 0.2], [0.0, 0.5, 0.1]], [[0.7, 0.3, 0.1], [0.1, 0.1, 0.1]]])
    >>> masks = tensor([[[1, 0, 0], [0, 1, 0]], [[0, 0, 1], [1, 0, 0]]])
    >>> _area(pxap(maps, masks).mean(dim=0))  # (1 / 1 + 2 / 4 + 4 / 11 + 4 / 11) / 4
    tensor(0.5568, dtype=torch.float64)
    """
    if bins < 1:
        raise XaibenchError(f"pxap[bins={bins}]: choose at least one.")
    # Compared in float64, as 0.1 read as float32 lies above the double 0.1.
    edges = torch.arange(1, bins, dtype=torch.float64, device=maps.device) * (1 / bins)
    edges = torch.cat([edges, edges.new_ones(1)])
    reached = torch.bucketize(maps.flatten(1).double(), edges, right=True)
    counts = maps.new_zeros(2, len(maps), bins + 1)
    truth = (masks > 0).flatten(1).to(maps.dtype)
    for histogram, weight in zip(counts, (truth, torch.ones_like(truth)), strict=True):
        histogram.scatter_add_(1, reached, weight)
    return where_filled(counts.transpose(0, 1).flatten(1), masks)
