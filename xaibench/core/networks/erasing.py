"""What is hidden from a network in training, so that it can't go by the most telling part alone.

All draw from torch's generator, which the training seeds anew in each epoch.
"""

import math
from typing import NamedTuple, Self

import torch
from torch import Tensor
from torch.nn import functional

# As the authors set them: squares a side, how many are hidden; how often the most attended
# positions are dropped, and which these are.
_SQUARES, _HIDDEN = 8, 0.5
_DROPPED, _ATTENDED = 0.75, 0.9


def hide_patches(images: Tensor, mean: Tensor) -> Tensor:
    """Return images ``(B, C, H, W)`` of which each square of a grid is the mean half of the time.

    singh2017hide. The grid has 8 by 8 squares, drawn for each image; the mean ``(C, 1, 1)`` is that
    of the network's normalization.
    """
    drawn = torch.rand(len(images), 1, _SQUARES, _SQUARES, device=images.device) < _HIDDEN
    hidden = functional.interpolate(drawn.float(), images.shape[2:], mode="nearest") > 0
    return torch.where(hidden, mean.to(images), images)


def drop_attended(activations: Tensor) -> Tensor:
    """Return activations ``(B, D, h, w)`` without, or weighed by, what is attended to most.

    choe2019adl: the channels' mean is a self-attention map. Three times in four what is above 90 %
    of its maximum becomes 0, else all is multiplied by the map's sigmoid.
    """
    attention = activations.mean(dim=1, keepdim=True)
    if float(torch.rand(())) >= _DROPPED:
        return activations * attention.sigmoid()
    peak = attention.amax(dim=(2, 3), keepdim=True)
    return activations * (attention < _ATTENDED * peak)


class CutMix(NamedTuple):
    """Which image of the batch a box is taken from, ``(B,)``; where it lies; what share is kept."""

    order: Tensor
    rows: slice
    columns: slice
    kept: float

    @classmethod
    def drawn(cls, images: Tensor) -> Self:
        """Draw a box of the images' proportions, of an area that is uniform in [0, 1] but clipped.

        yun2019cutmix, with alpha = 1.
        """
        height, width = images.shape[2:]
        area, row, column = torch.rand(3).tolist()
        rows = _span(row, height, math.sqrt(area))
        columns = _span(column, width, math.sqrt(area))
        cut = (rows.stop - rows.start) * (columns.stop - columns.start)
        order = torch.randperm(len(images)).to(images.device)
        return cls(order, rows, columns, 1 - cut / (height * width))


def mix_in(images: Tensor, mixed: CutMix) -> Tensor:
    """Return images with the box of another one each."""
    result, box = images.clone(), (..., mixed.rows, mixed.columns)
    result[box] = images[mixed.order][box]
    return result


def _span(center: float, side: int, share: float) -> slice:
    middle, half = int(center * side), int(share * side) // 2
    return slice(max(middle - half, 0), min(middle + half, side))
