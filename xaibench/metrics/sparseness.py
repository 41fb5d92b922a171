"""Gini index of the map: whether few pixels hold all its mass."""

import torch
from torch import Tensor

from xaibench.core.overlap import ascending
from xaibench.core.registry import metric


@metric(
    title="Sparseness",
    higher_is_better=True,
    paper="chalasani2020concise",
    family="complexity",
    counted="any",
    ties="of no account",
)
def sparseness(maps: Tensor) -> Tensor:
    """Return sum_i (2 i - n - 1) m_i / (n sum_i m_i), m ascending over n pixels, shape (B,).

    From 0, all pixels alike, to 1 - 1 / n, all mass on one pixel. A map of zeros is as even as any
    constant map: 0. It knows nothing of where the mass lies, and is no board of its own: a random
    single pixel is perfect.

    >>> from torch import tensor
    >>> sparseness(tensor([[[0.1, 0.2, 0.4]], [[0.0, 1.0, 0.0]], [[0.5, 0.5, 0.5]]]))
    tensor([0.2857, 0.6667, 0.0000])
    """
    values = ascending(maps.flatten(1)).double()
    count = values.shape[1]
    weights = 2 * torch.arange(1, count + 1, device=maps.device, dtype=torch.float64) - count - 1
    # The weights sum to zero; taken off first, the lowest value leaves no rounding behind.
    spread = (values - values[:, :1]) @ weights
    total = values.sum(dim=1)
    return (spread / (count * total)).where(total > 0, 0.0).to(maps.dtype)
