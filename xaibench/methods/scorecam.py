"""Score-CAM: each activation map weighted by the score of the image seen through it."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from xaibench.core.cam import map_by_scores
from xaibench.core.registry import method


@method(paper="wang2020scorecam", family="cam")
def scorecam(
    images: Tensor,
    activations: Tensor,
    respond: Callable[..., Tensor],
    *,
    align_corners: bool = False,
) -> Tensor:
    """Return ReLU(sum_d softmax_d(y(x * A_d)) * A_d), A_d resized and min-max rescaled, (B, h, w).

    Options:
        align_corners: how activation maps are resized; pytorch-grad-cam takes true.
    """
    return torch.stack([
        map_by_scores(image, maps, partial(respond, row), align_corners=align_corners)
        for row, (image, maps) in enumerate(zip(images, activations, strict=True))
    ])  # fmt: skip
