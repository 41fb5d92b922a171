"""Score-CAM: each activation map weighted by the score of the image seen through it."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, einsum
from torch.nn import functional

from xaibench.core.maps import min_max
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
    return torch.stack(
        [
            _weigh(image, maps, partial(respond, row), align_corners)
            for row, (image, maps) in enumerate(zip(images, activations, strict=True))
        ]
    )


def _weigh(
    image: Tensor, maps: Tensor, respond: Callable[..., Tensor], align_corners: bool
) -> Tensor:
    # A map of zeros adds nothing; the others' weights all grow by one factor without it.
    maps = maps[maps.flatten(1).any(dim=1)]
    if not len(maps):
        return maps.new_zeros(maps.shape[1:])

    def through(first: int, last: int) -> Tensor:
        wide = functional.interpolate(
            maps[None, first:last], image.shape[1:], mode="bilinear", align_corners=align_corners
        )[0]
        return image * min_max(wide).nan_to_num(0)[:, None]

    weights = functional.softmax(respond(through, len(maps)), dim=0)
    return einsum("d,dhw->hw", weights, maps).relu()
