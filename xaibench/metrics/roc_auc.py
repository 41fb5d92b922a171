"""ROC-AUC of one image's pixels: how surely a pixel in the mask lies above one outside."""

import torch
from torch import Tensor

from xaibench.core.overlap import ascending
from xaibench.core.regions import where_filled
from xaibench.core.registry import metric


@metric(
    higher_is_better=True,
    paper="fawcett2006introduction",
    threshold="none: all values that occur",
    ties="equal pixels count half",
    pixelwise=True,
    title="ROC-AUC",
)
def roc_auc(maps: Tensor, masks: Tensor) -> Tensor:
    """Return P(map inside > map outside) + P(map inside = map outside) / 2, shape (B,).

    Over all pairs of a pixel in the mask (mask > 0) and one outside: the area under the ROC curve.
    In [0, 1], 0.5 by chance and for a constant map; NaN where the mask is empty or full. Of a small
    lesion nearly all pixels lie outside, so that values near 1 are common: read it beside
    `average_precision`.

    >>> from torch import tensor
    >>> maps = tensor([[[0.9, 0.2, 0.2], [0.0, 0.5, 0.1]]])
    >>> masks = tensor([[[1, 1, 0], [0, 0, 0]]])
    >>> roc_auc(maps, masks)  # 4 of 4 pairs, then 2 and a tie of 4
    tensor([0.8125])
    """
    rows = [_area(row, truth) for row, truth in zip(maps, masks > 0, strict=True)]
    return where_filled(torch.stack(rows).to(maps.dtype), masks)


def _area(values: Tensor, truth: Tensor) -> Tensor:
    inside, beyond = ascending(values[truth]), ascending(values[~truth])
    lower = torch.searchsorted(beyond, inside)
    level = torch.searchsorted(beyond, inside, right=True)
    return (lower + level).double().mean() / (2 * len(beyond))
