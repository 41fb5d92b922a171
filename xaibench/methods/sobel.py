"""Control: edges, which look like evidence without asking the model."""

import torch
from torch import Tensor
from torch.nn import functional

from xaibench.core.registry import method


@method(family="control")
def sobel(images: Tensor) -> Tensor:
    """Return the size of the gray image's Sobel gradient, shape (B, H, W)."""
    gray = functional.pad(images.mean(dim=1, keepdim=True), (1, 1, 1, 1), mode="replicate")
    across = gray.new_tensor([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    kernels = torch.stack([across, across.T])[:, None]
    across_and_down = functional.conv2d(gray, kernels)
    return across_and_down.square().sum(dim=1).sqrt()
