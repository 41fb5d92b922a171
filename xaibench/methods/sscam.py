"""SS-CAM: Score-CAM with noise on the masks, each weight the mean over several draws."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from xaibench.core.cam import map_by_scores
from xaibench.core.errors import XaibenchError
from xaibench.core.registry import method
from xaibench.core.seeds import BatchGenerator


@method(paper="wang2020sscam", family="cam")
def sscam(
    images: Tensor,
    activations: Tensor,
    generator: BatchGenerator,
    respond: Callable[..., Tensor],
    *,
    samples: int = 35,
    noise: float = 2.0,
) -> Tensor:
    """Return ReLU(sum_d softmax_d(mean_i y(x * (A_d + e_i))) * A_d), shape (B, h, w).

    A_d is resized and min-max rescaled, e_i normal noise.

    Options:
        samples: draws for each activation map.
        noise: their standard deviation.
    """
    if samples < 1 or noise < 0:
        raise XaibenchError("sscam: 'samples' from 1, 'noise' from 0.")

    def disturbed(row: int, masks: Tensor, first: int, last: int) -> Tensor:
        return masks + noise * generator.normal_copies(row, first, last, *masks.shape[1:])

    return torch.stack([
        map_by_scores(image, maps, partial(respond, row), samples, partial(disturbed, row))
        for row, (image, maps) in enumerate(zip(images, activations, strict=True))
    ])  # fmt: skip
