"""Pointing Game: whether the highest point of the map lies in the mask."""

from torch import Tensor

from xaibench.core.pointing import hits
from xaibench.core.registry import metric


@metric(
    higher_is_better=True,
    paper="zhang2018excitation",
    ties="the chance that one drawn among the tied peaks hits",
    title="Pointing Game",
)
def hit_rate(
    maps: Tensor, masks: Tensor, *, tolerance: float = 0.0, pixels: int = 0, strict: bool = False
) -> Tensor:
    """Return whether the map's peak lies inside the mask, shape (B,).

    Where several pixels share the maximum, the chance that one drawn among them hits; so a
    constant map scores as a random point does. NaN where the mask is empty.

    Options:
        tolerance: widens the mask by that share of the image's diagonal, in whole pixels.
        pixels: widens it by so many pixels, in place of a share: of the image's own size with
            ``--score-at original``, as TorchRay's 15.
        strict: only pixels nearer than that hit, as TorchRay has it; those at just that distance
            hit, too, unless told. A tolerance isn't cut to whole pixels then.

    >>> from torch import tensor
    >>> maps = tensor([[[1.0, 0.5, 0.2], [0.0, 1.0, 0.1]]])
    >>> masks = tensor([[[1, 0, 0], [1, 0, 0]]])
    >>> hit_rate(maps, masks)  # two peaks, one of them inside
    tensor([0.5000])
    """
    return hits("hit_rate", maps, masks, tolerance=tolerance, pixels=pixels, strict=strict)
