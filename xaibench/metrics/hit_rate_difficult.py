"""Pointing Game on the difficult subset: small objects that others distract from."""

import math

from torch import Tensor

from xaibench.core.pointing import hits
from xaibench.core.registry import metric

_SMALL = 0.25


@metric(
    higher_is_better=True,
    paper="zhang2018excitation",
    ties="the chance that one drawn among the tied peaks hits",
    title="Pointing Game, difficult",
)
def hit_rate_difficult(
    maps: Tensor,
    masks: Tensor,
    other_classes: Tensor,
    *,
    tolerance: float = 0.0,
    pixels: int = 0,
    strict: bool = False,
) -> Tensor:
    """Return `hit_rate` where the mask is small and the image shows other classes, shape (B,).

    NaN elsewhere, so that its mean is that of the difficult images: the mask covers less than a
    quarter of the image, and at least one other class shows there. Where images have one label
    none is difficult. TorchRay reads which images are from a list that its authors made; this is
    the rule that they state.

    Options:
        tolerance: widens the mask by that share of the image's diagonal, in whole pixels.
        pixels: widens it by so many pixels, in place of a share.
        strict: only pixels nearer than that hit.

    >>> from torch import tensor
    >>> maps = tensor([[[1.0, 0.5, 0.2], [0.0, 0.3, 0.1]]] * 3)
    >>> masks = tensor([[[1, 0, 0], [0, 0, 0]], [[1, 1, 0], [0, 0, 0]], [[1, 0, 0], [0, 0, 0]]])
    >>> hit_rate_difficult(maps, masks, tensor([1, 1, 0]))  # the second is large, the third alone
    tensor([1., nan, nan])
    """
    found = hits(
        "hit_rate_difficult", maps, masks, tolerance=tolerance, pixels=pixels, strict=strict
    )
    small = (masks > 0).flatten(1).float().mean(dim=1) < _SMALL
    return found.where(small & (other_classes > 0), math.nan)
