"""Localization losses between saliency ``(B, H, W)`` in [0, 1] and masks; one value an image."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

Loss = Callable[[Tensor, Tensor], Tensor]
_WINDOW, _SIGMA = 11, 1.5


def l1(saliency: Tensor, mask: Tensor) -> Tensor:
    """Return mean |s - m|, ``(B,)``."""
    return (saliency - mask).abs().mean(dim=(1, 2))


def l2(saliency: Tensor, mask: Tensor) -> Tensor:
    """Return mean (s - m)^2, ``(B,)``."""
    return (saliency - mask).square().mean(dim=(1, 2))


def bce(saliency: Tensor, mask: Tensor) -> Tensor:
    """Return the mean binary cross-entropy, ``(B,)``."""
    # Probabilities are lost to rounding near 0 and 1, and autocast forbids this loss in half.
    with torch.autocast(saliency.device.type, enabled=False):
        loss = functional.binary_cross_entropy(saliency.float(), mask.float(), reduction="none")
    return loss.mean(dim=(1, 2))


def dice(saliency: Tensor, mask: Tensor) -> Tensor:
    """Return 1 - (2 sum(s m) + 1) / (sum(s) + sum(m) + 1), ``(B,)``; milletari2016vnet."""
    overlap = (saliency * mask).sum(dim=(1, 2))
    total = saliency.sum(dim=(1, 2)) + mask.sum(dim=(1, 2))
    return 1 - (2 * overlap + 1) / (total + 1)


def ssim(saliency: Tensor, mask: Tensor) -> Tensor:
    """Return 1 - SSIM with a Gaussian window of 11 pixels, sigma 1.5, ``(B,)``; wang2004ssim."""
    first, second = 0.01**2, 0.03**2
    x, y = saliency.float()[:, None], mask.float()[:, None]
    means = _blur(torch.cat([x, y, x * x, y * y, x * y], dim=1))
    mean_x, mean_y, square_x, square_y, product = means.unbind(dim=1)
    variance_x, variance_y = square_x - mean_x**2, square_y - mean_y**2
    covariance = product - mean_x * mean_y
    similarity = ((2 * mean_x * mean_y + first) * (2 * covariance + second)) / (
        (mean_x**2 + mean_y**2 + first) * (variance_x + variance_y + second)
    )
    return 1 - similarity.mean(dim=(1, 2))


def _blur(images: Tensor) -> Tensor:
    """Blur each channel ``(B, C, H, W)`` with the Gaussian window; only whole windows count."""
    steps = torch.arange(_WINDOW, device=images.device, dtype=images.dtype) - _WINDOW // 2
    window = torch.exp(-(steps**2) / (2 * _SIGMA**2))
    window /= window.sum()
    channels = images.shape[1]
    rows = window.view(1, 1, -1, 1).expand(channels, 1, -1, 1)
    columns = window.view(1, 1, 1, -1).expand(channels, 1, 1, -1)
    blurred = functional.conv2d(images, rows, groups=channels)
    return functional.conv2d(blurred, columns, groups=channels)


LOSSES: Mapping[str, Loss] = {"l1": l1, "l2": l2, "ssim": ssim, "bce": bce, "dice": dice}
