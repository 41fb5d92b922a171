"""Overlap where a map counts only for a class that the model finds."""

from typing import Literal

from torch import Tensor

from xaibench.core.otsu import mark_of
from xaibench.core.overlap import Of, intersection_over_union
from xaibench.core.registry import metric


@metric(
    higher_is_better=True,
    counted="any",
    paper="saporta2022chexlocalize",
    threshold="of=otsu: each map's own; else the same share of each map's maximum for all methods",
    ties="pixels at the threshold are marked; of=otsu: not marked",
    pixelwise=True,
    title="IoU of what is found",
)
def iou_found(
    maps: Tensor,
    masks: Tensor,
    found: Tensor,
    *,
    of: Literal[Of, "otsu"] = "otsu",
    threshold: float = 0.5,
    cases: Literal["true_positives", "shown", "all"] = "all",
) -> Tensor:
    """Return the Jaccard index of what the map marks and (mask > 0), shape (B,).

    A map marks nothing where the model doesn't find its class: where the confidence is below the
    class's threshold (``--label-threshold``), or with one label an image, where it predicts another
    class. In [0, 1].

    Options:
        of: how pixels are marked, as in `iou`; ``otsu`` needs no threshold.
        threshold: of the others.
        cases: ``true_positives`` are those in which mask and map both mark something, ``shown``
            those in which the mask does, so that a missed class scores 0, and ``all`` those in
            which either does, so that a false alarm scores 0, too; NaN in others.

    >>> from torch import tensor
    >>> maps = tensor([[[1.0, 0.6, 0.2], [0.0, 0.9, 0.1]]] * 3)
    >>> masks = tensor([[[1, 0, 0], [1, 1, 0]], [[1, 0, 0], [1, 1, 0]], [[0, 0, 0], [0, 0, 0]]])
    >>> found = tensor([True, False, True])  # seen, missed, a false alarm
    >>> iou_found(maps, masks, found), iou_found(maps, masks, found, cases="true_positives")
    (tensor([0.5000, 0.0000, 0.0000]), tensor([0.5000,    nan,    nan]))
    """
    marked = mark_of("iou_found", maps, threshold, of) & found.bool()[:, None, None]
    truth = masks > 0
    sizes = [region.flatten(1).sum(dim=1) for region in (marked & truth, marked | truth)]
    seen, shown = (region.flatten(1).any(dim=1) for region in (marked, truth))
    counted = {"true_positives": seen & shown, "shown": shown, "all": seen | shown}[cases]
    return intersection_over_union(sizes[0], sizes[1], counted)
