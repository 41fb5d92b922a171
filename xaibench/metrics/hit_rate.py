"""Pointing Game: whether the highest point of the map lies in the mask."""

import math

from torch import Tensor
from torch.nn import functional

from xaibench.core.errors import XaibenchError
from xaibench.core.regions import mean_over, peaks, where_filled
from xaibench.core.registry import metric


@metric(
    higher_is_better=True,
    paper="zhang2018excitation",
    ties="the chance that one drawn among the tied peaks hits",
    title="Pointing Game",
)
def hit_rate(
    maps: Tensor, masks: Tensor, *, tolerance: float = 0.0, strict: bool = False
) -> Tensor:
    """Return whether the map's peak lies inside the mask, shape (B,).

    Where several pixels share the maximum, the chance that one drawn among them hits; so a
    constant map scores as a random point does. NaN where the mask is empty.

    Options:
        tolerance: widens the mask by that share of the image's diagonal, in whole pixels.
        strict: only pixels nearer than the tolerance hit, as TorchRay has it, whose 15 pixels at
            224 are a tolerance of 0.04735; those at just that distance hit, too, unless told. The
            tolerance isn't cut to whole pixels then.

    >>> from torch import tensor
    >>> maps = tensor([[[1.0, 0.5, 0.2], [0.0, 1.0, 0.1]]])
    >>> masks = tensor([[[1, 0, 0], [1, 0, 0]]])
    >>> hit_rate(maps, masks)  # two peaks, one of them inside
    tensor([0.5000])
    """
    if not 0 <= tolerance < 1:
        raise XaibenchError(f"hit_rate[tolerance={tolerance}]: choose a share of the diagonal.")
    truth = masks > 0
    if strict and not tolerance:
        raise XaibenchError("hit_rate[strict=true]: give a tolerance; nothing is nearer than 0.")
    # A hair off, as 0.29 of 100 is 28.999999999999996.
    reach = tolerance * math.hypot(*masks.shape[1:])
    furthest = math.ceil(reach**2 - 1e-6) - 1 if strict else int(reach + 1e-9) ** 2
    if furthest > 0:
        truth = _widen(truth.float(), furthest) > 0
    return where_filled(mean_over(truth, peaks(maps)), masks)


def _widen(truth: Tensor, furthest: int) -> Tensor:
    """Grow the mask by a disc, given by the square of its radius, row by row of the disc."""
    height, radius = truth.shape[1], math.isqrt(furthest)
    padded = functional.pad(truth, (0, 0, radius, radius))
    grown = truth
    for offset in range(-radius, radius + 1):
        reach = math.isqrt(furthest - offset * offset)
        rows = padded[:, radius + offset : radius + offset + height]
        wide = functional.max_pool2d(rows, (1, 2 * reach + 1), stride=1, padding=(0, reach))
        grown = grown.maximum(wide)
    return grown
