"""Superpixels: an image's parts, for methods that switch parts on and off."""

import numpy as np
import torch
from skimage.segmentation import slic
from torch import Tensor


def find_superpixels(image: Tensor, count: int) -> Tensor:
    """Return labels ``(H, W)`` from 0 of an image ``(C, H, W)``.

    There are about ``count`` of them, and always from 2 to twice as many as that.
    """
    pixels = image.detach().float().cpu().permute(1, 2, 0).numpy()
    labels = slic(pixels, n_segments=count, compactness=10, start_label=0, channel_axis=2)
    if not 0 < labels.max() < 2 * count:  # noise, or nothing at all, has no parts: cut squares
        height, width = labels.shape
        side = 1
        while 2 * side < max(height, width) and -(-height // side) * -(-width // side) > count:
            side += 1
        rows, columns = np.ogrid[:height, :width]
        labels = rows // side * -(-width // side) + columns // side
    dense = np.unique(labels, return_inverse=True)[1].reshape(labels.shape)
    found: Tensor = torch.from_numpy(dense).to(image.device)
    return found
