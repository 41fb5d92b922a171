"""MaxBoxAcc: localization by boxes, as weakly supervised localization counts it: an upper bound."""

import torch
from torch import Tensor

from xaibench.core.boxes import Which, fits_by_level
from xaibench.core.errors import XaibenchError
from xaibench.core.overlap import thresholds_reached
from xaibench.core.regions import where_filled
from xaibench.core.registry import metric


def _best(statistics: Tensor) -> Tensor:
    """Take the best threshold of each overlap, then the mean; the last number says how many."""
    kinds = int(statistics[-1].round())
    return statistics[:-1].view(kinds, -1).amax(dim=1).mean()


@metric(
    higher_is_better=True,
    paper="choe2020wsol",
    threshold="oracle: for each overlap the best share of the maximum on the evaluated images",
    ties="equally large parts share; pixels at a threshold are marked",
    pool=_best,
    ranked=False,
    display="MaxBoxAcc",
)
def max_box_acc(
    maps: Tensor,
    masks: Tensor,
    *,
    overlaps: tuple[float, ...] = (0.3, 0.5, 0.7),
    thresholds: int = 100,
    boxes: Which = "largest",
) -> Tensor:
    """Return whether the map's box fits the truth's, for each overlap and threshold.

    The map's box is that of the largest connected part of (map >= t * max(map)), with corners
    connected; it fits where its Jaccard index with the box of one of the mask's connected parts
    (mask > 0) reaches the overlap. The value of a set of images is the share that fits at the one t
    that is best for the set, mean over the overlaps. In [0, 1]; a row of NaN where the mask is
    empty; 0 for a map of zeros. Shape (B, S), S = overlaps * thresholds + 1.

    Options:
        overlaps: Jaccard indices that count as a fit.
        thresholds: t = 1 / thresholds, 2 / thresholds, ... 1.
        boxes: of the largest part, or the best of ``all`` parts, as MaxBoxAccV2 takes them.

    >>> from torch import tensor
    >>> maps = tensor([[[1.0, 0.9, 0.2], [0.0, 0.1, 0.4]]])
    >>> masks = tensor([[[1, 1, 0], [0, 0, 0]]])
    >>> max_box_acc(maps, masks, overlaps=(0.5, 0.7), thresholds=4)  # 2 / 6, 1, 1, 1 / 2 overlap
    tensor([[0., 1., 1., 1., 0., 1., 1., 0., 2.]])
    """
    if thresholds < 1 or not overlaps or not all(0 < each <= 1 for each in overlaps):
        raise XaibenchError("max_box_acc: 'overlaps' lie above 0, up to 1; 'thresholds' from 1.")
    shares = [step / thresholds for step in range(1, thresholds + 1)]
    levels = thresholds_reached(maps, shares).to(torch.int16).cpu().numpy()
    truths = (masks > 0).cpu().numpy()
    fits = [
        [*fits_by_level(reached, truth, overlaps, thresholds, boxes).flat, len(overlaps)]
        for reached, truth in zip(levels, truths, strict=True)
    ]
    return where_filled(torch.tensor(fits).to(maps), masks)
