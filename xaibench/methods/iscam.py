"""IS-CAM: Score-CAM with masks of growing strength, each weight the mean over all of them."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from xaibench.core.cam import map_by_scores
from xaibench.core.errors import XaibenchError
from xaibench.core.registry import method


@method(paper="naidu2020iscam", family="cam")
def iscam(
    images: Tensor, activations: Tensor, respond: Callable[..., Tensor], *, samples: int = 10
) -> Tensor:
    """Return ReLU(sum_d softmax_d(mean_i y(c_i * x * A_d)) * A_d), shape (B, h, w).

    A_d is resized and min-max rescaled, and c_i = sum_{j <= i} j / samples.

    Options:
        samples: strengths for each activation map.
    """
    if samples < 1:
        raise XaibenchError(f"iscam[samples={samples}]: at least 1.")
    strengths = (torch.arange(1, samples + 1) / samples).cumsum(dim=0).to(images)

    def scaled(masks: Tensor, first: int, last: int) -> Tensor:
        numbers = torch.arange(first, last, device=masks.device) % samples
        return masks * strengths[numbers, None, None]

    return torch.stack([
        map_by_scores(image, maps, partial(respond, row), samples, scaled)
        for row, (image, maps) in enumerate(zip(images, activations, strict=True))
    ])  # fmt: skip
