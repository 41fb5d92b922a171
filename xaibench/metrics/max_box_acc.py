"""MaxBoxAcc: localization by boxes, as weakly supervised localization counts it: an upper bound."""

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor

from xaibench.core.boxes import Which, fits_by_level
from xaibench.core.contours import fits_by_contours
from xaibench.core.errors import XaibenchError
from xaibench.core.overlap import thresholds_reached
from xaibench.core.regions import where_filled
from xaibench.core.registry import metric

# Overlaps that count, and which of a map's parts have a box.
_VERSIONS: Mapping[int, tuple[tuple[float, ...], Which]] = {
    1: ((0.5,), "largest"),
    2: ((0.3, 0.5, 0.7), "all"),
}


def _best(statistics: Tensor) -> Tensor:
    """Take the best threshold of each overlap, then the mean; the last number says how many."""
    kinds = int(statistics[-1].round())
    return statistics[:-1].view(kinds, -1).amax(dim=1).mean()


@metric(
    higher_is_better=True,
    paper="choe2020wsol",
    threshold="oracle: for each overlap the best share of the maximum on the evaluated images",
    ties="convention=wsol: the first of equally large parts, pixels at a threshold are not marked; "
    "convention=exact: equally large parts share, pixels at a threshold are marked",
    pool=_best,
    ranked=False,
    title="MaxBoxAcc",
)
def max_box_acc(
    maps: Tensor,
    masks: Tensor,
    *,
    version: Literal[1, 2] = 2,
    convention: Literal["wsol", "exact"] = "wsol",
    overlaps: tuple[float, ...] = (),
    thresholds: int = 1000,
) -> Tensor:
    """Return whether the map's box fits the truth's, for each overlap and threshold.

    It fits where its Jaccard index with the box of one of the mask's connected parts (mask > 0,
    corners connected) reaches the overlap. The value of a set of images is the share that fits at
    the one threshold that is best for the set, mean over the overlaps. In [0, 1]; a row of NaN
    where the mask is empty; 0 for a map of zeros. Shape (B, S), S = overlaps * thresholds + 1.

    ``convention=wsol`` is what the code of wsolevaluation does: maps of 8 bits, pixels strictly
    above t * max(map), t = 0, 1 / thresholds, ...; the largest part by the area that its outline
    encloses, where holes have outlines, too; the map's boxes one pixel too large. Scores
    differ from exact ones by up to 0.1 on maps of few pixels. ``convention=exact`` takes the map
    as it is, (map >= t * max(map)), t = 1 / thresholds, ... 1, the part of most pixels, and boxes
    that end with their last pixel.

    Options:
        version: 1 is MaxBoxAcc: the largest part's box, overlap 0.5; 2 is MaxBoxAccV2: the best
            of all parts' boxes, mean over the overlaps 0.3, 0.5 and 0.7.
        convention: how boxes are drawn.
        overlaps: Jaccard indices that count as a fit; those of the version unless told.
        thresholds: how many.

    >>> from torch import tensor
    >>> maps = tensor([[[1.0, 0.9, 0.2], [0.0, 0.1, 0.4]]])
    >>> masks = tensor([[[1, 1, 0], [0, 0, 0]]])
    >>> max_box_acc(maps, masks, convention="exact", overlaps=(0.5, 0.7), thresholds=4)
    tensor([[0., 1., 1., 1., 0., 1., 1., 0., 2.]])
    """
    wanted, boxes = _VERSIONS[version]
    overlaps = overlaps or wanted
    if thresholds < 1 or not all(0 < each <= 1 for each in overlaps):
        raise XaibenchError("max_box_acc: 'overlaps' lie above 0, up to 1; 'thresholds' from 1.")
    truths = (masks > 0).cpu().numpy()
    exact = convention == "exact"
    shares = [step / thresholds for step in range(1, thresholds + 1)]
    heat = thresholds_reached(maps, shares).to(torch.int16) if exact else maps.double()
    find = fits_by_level if exact else fits_by_contours
    fits = [
        [*find(values, truth, overlaps, thresholds, boxes).flat, len(overlaps)]
        for values, truth in zip(heat.cpu().numpy(), truths, strict=True)
    ]
    return where_filled(torch.tensor(fits).to(maps), masks)
