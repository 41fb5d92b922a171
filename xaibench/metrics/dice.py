"""Dice coefficient of the thresholded map and the mask."""

from typing import Literal

from torch import Tensor

from xaibench.core.otsu import mark_of
from xaibench.core.overlap import Of
from xaibench.core.regions import where_filled
from xaibench.core.registry import metric


@metric(
    title="Dice",
    higher_is_better=True,
    paper="dice1945measures",
    threshold="fixed: the same share of each map's maximum for all methods; of=otsu: each map's "
    "own",
    ties="pixels at the threshold are marked",
    pixelwise=True,
)
def dice(
    maps: Tensor,
    masks: Tensor,
    *,
    threshold: float = 0.5,
    of: Literal[Of, "otsu"] = "maximum",
) -> Tensor:
    """Return 2 |P and T| / (|P| + |T|), P: map >= threshold * max(map), T: mask > 0, shape (B,).

    In [0, 1]; NaN where the mask is empty; 0 for a map of zeros, which predicts nothing. With
    ``of=scale`` the threshold itself is the limit, with ``of=otsu`` each map's own divides its
    values best into two classes (otsu1979threshold). Per image: 2 J / (1 + J) of the Jaccard index
    J, so that it ranks single maps as `iou` does, but not their means.

    >>> from torch import tensor
    >>> maps = tensor([[[1.0, 0.5, 0.2], [0.0, 0.6, 0.1]]])
    >>> masks = tensor([[[1, 0, 0], [1, 1, 0]]])
    >>> dice(maps, masks)  # marks 3 pixels, 2 of 3 true ones: 4 / 6
    tensor([0.6667])
    """
    predicted, truth = mark_of("dice", maps, threshold, of), masks > 0
    shared = (predicted & truth).sum(dim=(1, 2))
    sizes = predicted.sum(dim=(1, 2)) + truth.sum(dim=(1, 2))
    return where_filled(2 * shared / sizes, masks)
