"""Efficient MPRT: how much more complex the map becomes where the network has learned nothing."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from xaibench.core.errors import XaibenchError
from xaibench.core.registry import metric


@metric(
    higher_is_better=True,
    paper="hedstrom2023sanity",
    family="faithfulness",
    bounds=(-1.0, math.inf),
    target="predicted",
    ties="of no account",
    baseline="none: the image stays, the network's weights become random",
    title="Efficient MPRT",
)
def efficient_mprt(
    maps: Tensor, explain_randomized: Callable[[], Tensor], *, bins: int = 100
) -> Tensor:
    """Return (c(r) - c(m)) / c(m) of a map m and the random network's map r, shape (B,).

    c is the entropy, in nats, of the histogram of a map's values between its lowest and highest.
    The network has random weights in all layers, the same for all methods. 0 for a map that stays
    as it is, from -1 where the random network's is constant; higher is better. NaN where the map
    itself is constant. Quantus chooses the number of bins by all maps together; here it is fixed.

    Options:
        bins: of equal width.

    >>> from torch import tensor
    >>> two_levels, four_levels = tensor([[[0.0, 0.0, 1.0, 1.0]]]), tensor([[[0.0, 0.3, 0.6, 1.0]]])
    >>> efficient_mprt(two_levels, lambda: four_levels)  # log(4) against log(2)
    tensor([1.])
    """
    if bins < 2:  # noqa: PLR2004
        raise XaibenchError(f"efficient_mprt[bins={bins}]: choose at least 2.")
    before, after = _complexity(maps, bins), _complexity(explain_randomized(), bins)
    return ((after - before) / before).where(before > 0, math.nan).to(maps.dtype)


def _complexity(maps: Tensor, bins: int) -> Tensor:
    flat = maps.flatten(1).double()
    low, high = flat.amin(dim=1, keepdim=True), flat.amax(dim=1, keepdim=True)
    place = ((flat - low) / (high - low) * bins).nan_to_num().long().clamp(max=bins - 1)
    counts = flat.new_zeros(len(flat), bins).scatter_add_(1, place, torch.ones_like(flat))
    found: Tensor = torch.special.entr(counts / flat.shape[1]).sum(dim=1)
    return found
