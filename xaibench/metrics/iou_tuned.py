"""Overlap at the threshold that suits the method best on validation images."""

from torch import Tensor

from xaibench.core.overlap import binarize, jaccard
from xaibench.core.registry import metric


@metric(
    title="Tuned IoU",
    higher_is_better=True,
    paper="saporta2022benchmarking",
    threshold="tuned for each method, and each class where images may show several, on validation "
    "images whose masks may be seen",
    ties="pixels at the threshold are marked",
    pixelwise=True,
)
def iou_tuned(maps: Tensor, masks: Tensor, tuned_threshold: float) -> Tensor:
    """Return the Jaccard index of (map >= tuned * max(map)) and (mask > 0), shape (B,).

    In [0, 1]; NaN where the mask is empty; 0 for a map of zeros. The threshold is one for all
    images of a method and model: the share of the maximum at which its mean Jaccard index on the
    validation split is best, under the same label fraction for every method. Where images may show
    several classes, each class has its own, and a class that no validation image has marked takes
    that of all classes together. Never tuned on test.

    >>> from torch import tensor
    >>> maps = tensor([[[1.0, 0.5, 0.2], [0.0, 0.6, 0.1]]])
    >>> masks = tensor([[[1, 0, 0], [1, 1, 0]]])
    >>> iou_tuned(maps, masks, 0.55)  # marks 2 pixels, both true: 2 / 3
    tensor([0.6667])
    """
    return jaccard(binarize(maps, tuned_threshold), masks > 0)
