"""SmoothGrad: the gradient averaged over noisy copies of the image."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from xaibench.core.errors import XaibenchError
from xaibench.core.registry import method
from xaibench.core.seeds import BatchGenerator


@method(paper="smilkov2017smoothgrad", family="gradient", sign="none")
def smoothgrad(
    images: Tensor,
    generator: BatchGenerator,
    integrate: Callable[..., Tensor],
    *,
    samples: int = 50,
    noise: float = 0.15,
) -> Tensor:
    """Return max over channels of |mean over noisy copies of dy/dx|, shape (B, H, W).

    Options:
        samples: noisy copies.
        noise: their standard deviation as a share of the image's range.
    """
    if samples < 1 or noise < 0:
        raise XaibenchError("smoothgrad: 'samples' from 1, 'noise' from 0.")

    def noisy(row: int, first: int, last: int) -> tuple[Tensor, Tensor]:
        image = images[row]
        drawn = generator.normal_copies(row, first, last, *image.shape)
        copies = image + noise * (image.max() - image.min()) * drawn
        return copies, torch.full_like(copies, 1 / samples)

    rows = range(len(images))
    sums = torch.stack([integrate(row, partial(noisy, row), samples) for row in rows])
    return sums.abs().amax(dim=1)
