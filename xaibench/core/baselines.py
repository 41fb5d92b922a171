"""What an image is compared with: the picture that stands for "nothing to see"."""

from typing import Literal

import torch
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur

Baseline = Literal["black", "mean", "blur"]
BASELINES = {
    "black": "zero in each channel",
    "mean": "each channel's mean over the image",
    "blur": "the image under a Gaussian blur, a tenth of its shorter side wide",
}


def baseline_of(images: Tensor, baseline: Baseline) -> Tensor:
    """Return the baseline ``(B, C, H, W)`` of images ``(B, C, H, W)`` in [0, 1].

    ``black`` is zero, ``mean`` each channel's mean, ``blur`` the image blurred until what a lesion
    looks like is gone and the illumination stays: by a tenth of the shorter side.
    """
    if baseline == "black":
        return torch.zeros_like(images)
    if baseline == "mean":
        return images.mean(dim=(2, 3), keepdim=True).expand_as(images)
    sigma = min(images.shape[2:]) / 10
    reach = min(int(2 * sigma), (min(images.shape[2:]) - 1) // 2)
    # Along one side and then the other: a twelfth of the time, and the same but for rounding.
    along = gaussian_blur(images, kernel_size=[2 * reach + 1, 1], sigma=sigma)
    return torch.as_tensor(gaussian_blur(along, kernel_size=[1, 2 * reach + 1], sigma=sigma))
