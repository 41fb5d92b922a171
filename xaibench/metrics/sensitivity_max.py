"""How much the map changes where the image hardly does."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from xaibench.core.errors import XaibenchError
from xaibench.core.registry import metric
from xaibench.core.seeds import BatchGenerator


@metric(
    title="Max-Sensitivity",
    higher_is_better=False,
    paper="yeh2019infidelity",
    family="faithfulness",
    bounds=(0.0, math.inf),
    target="predicted",
    ties="of no account",
    baseline="the image and uniform noise, not clipped",
)
def sensitivity_max(
    maps: Tensor,
    images: Tensor,
    explain: Callable[[Tensor], Tensor],
    generator: BatchGenerator,
    *,
    samples: int = 10,
    radius: float = 0.02,
) -> Tensor:
    """Return the largest ||map(x + d) - map(x)|| / ||map(x)|| over noise d, shape (B,).

    d is uniform within the radius in each pixel and channel, the target that of x, the norm the
    root of the sum of squares over the scored map. 0 for maps that never change, which says nothing
    of whether they are right; NaN for a map of zeros. Lower is better. The noise is the same for
    all methods.

    Options:
        samples: of noise; for each the image is explained anew.
        radius: the most that a pixel changes, of pixels in [0, 1].

    >>> from torch import full
    >>> images = full((1, 1, 2, 3), 0.5)
    >>> maps, noise = images[:, 0], BatchGenerator([1])
    >>> 0.01 < sensitivity_max(maps, images, lambda x: x[:, 0], noise).item() < 0.02 / 0.5
    True
    """
    if samples < 1 or radius <= 0:
        raise XaibenchError("sensitivity_max: 'samples' is at least 1 and 'radius' above 0.")
    worst = torch.zeros_like(maps[:, 0, 0])
    for _ in range(samples):
        moved = images + radius * (2 * generator.uniform(*images.shape[1:]) - 1)
        worst = worst.maximum((explain(moved) - maps).norm(dim=(1, 2)))
    size: Tensor = maps.norm(dim=(1, 2))
    return (worst / size).where(size > 0, math.nan)
