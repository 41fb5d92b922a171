"""VarGrad: the variance of the gradient over noisy copies of the image."""

from collections.abc import Callable

import torch
from torch import Tensor

from xaibench.core.errors import XaibenchError
from xaibench.core.registry import method
from xaibench.core.seeds import BatchGenerator


@method(paper="adebayo2018sanity", family="gradient", sign="none")
def vargrad(
    images: Tensor,
    generator: BatchGenerator,
    differentiate: Callable[..., Tensor],
    *,
    samples: int = 50,
    noise: float = 0.15,
) -> Tensor:
    """Return max over channels of mean (g - mean g)^2, g = dy/dx on noisy copies, (B, H, W).

    Options:
        samples: noisy copies, at least 2.
        noise: their standard deviation as a share of the image's range.
    """
    if samples < 2 or noise <= 0:  # noqa: PLR2004
        raise XaibenchError("vargrad: 'samples' from 2, 'noise' above 0.")
    span = images.amax(dim=(1, 2, 3), keepdim=True) - images.amin(dim=(1, 2, 3), keepdim=True)
    mean, squares = torch.zeros_like(images), torch.zeros_like(images)
    for copy in range(samples):
        drawn = [
            generator.normal_copies(row, copy, copy + 1, *images.shape[1:])
            for row in range(len(images))
        ]
        found = differentiate(images + noise * span * torch.cat(drawn))
        gap = found - mean
        mean = mean + gap / (copy + 1)
        squares = squares + gap * (found - mean)
    return squares.amax(dim=1) / samples
