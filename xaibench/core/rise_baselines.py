"""What RISE's own code puts in a removed pixel's place, in the space of normalized pixels.

Networks trained on ImageNet see (x - mean) / deviation of each channel. A black pixel is zero
there, which is the mean here; the blur is a kernel of 11 x 11 pixels, beyond whose image there are
zeros, too. Neither depends on the deviation.
"""

from functools import cache
from typing import Literal

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

Space = Literal["pixel", "normalized"]
_MEAN = (0.485, 0.456, 0.406)
_SIDE, _SIGMA = 11, 5


def normalized_zero(images: Tensor) -> Tensor:
    """Return images ``(B, C, H, W)`` that are zero once normalized."""
    means = _MEAN if images.shape[1] == len(_MEAN) else [sum(_MEAN) / len(_MEAN)]
    return images.new_tensor(means)[None, :, None, None].expand_as(images)


def normalized_blur(images: Tensor) -> Tensor:
    """Return images ``(B, C, H, W)`` under RISE's blur of normalized pixels."""
    zero, channels = normalized_zero(images), images.shape[1]
    kernel = torch.from_numpy(_kernel()).to(images).expand(channels, 1, _SIDE, _SIDE)
    blurred = functional.conv2d(images - zero, kernel, padding=_SIDE // 2, groups=channels)
    return zero + blurred


@cache
def _kernel() -> "np.ndarray[tuple[int, int], np.dtype[np.float64]]":
    """A Gaussian whose tails are folded back into the kernel, so that it sums to 1."""
    peak = np.zeros((_SIDE, _SIDE))
    peak[_SIDE // 2, _SIDE // 2] = 1
    return np.asarray(ndimage.gaussian_filter(peak, _SIGMA))
