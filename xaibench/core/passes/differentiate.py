"""The derivative by the images, or why there is none."""

import torch
from torch import Tensor

from xaibench.core.errors import XaibenchError


def gradient_by(images: Tensor, chosen: Tensor) -> Tensor:
    """Return d chosen / d images, ``(B, C, H, W)``.

    Raises:
        XaibenchError: the network cuts the graph between them.
    """
    gradient = None
    if chosen.requires_grad:
        (gradient,) = torch.autograd.grad(chosen, images, allow_unused=True)
    if gradient is None:
        raise XaibenchError(
            "the network can't be differentiated by its images, as it runs under torch.no_grad, "
            "detaches or rounds on the way; let gradients through, or choose a method without them."
        )
    return gradient
