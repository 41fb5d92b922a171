"""Superpixels: an image's parts, for methods that switch parts on and off."""

import math

import numpy as np
import torch
from skimage.segmentation import slic
from torch import Tensor


def find_superpixels(image: Tensor, count: int) -> Tensor:
    """Return labels ``(H, W)`` from 0, about ``count`` of them, of an image ``(C, H, W)``."""
    pixels = image.detach().float().cpu().permute(1, 2, 0).numpy()
    labels = slic(pixels, n_segments=count, compactness=10, start_label=0, channel_axis=2)
    if labels.max() == 0:  # noise, or nothing at all, has no parts: cut it into squares
        height, width = labels.shape
        side = max(math.isqrt(height * width // count), 1)
        rows, columns = np.ogrid[:height, :width]
        labels = rows // side * -(-width // side) + columns // side
    dense = np.unique(labels, return_inverse=True)[1].reshape(labels.shape)
    found: Tensor = torch.from_numpy(dense).to(image.device)
    return found
