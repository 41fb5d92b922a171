"""Localization losses between saliency ``(B, H, W)`` in [0, 1] and masks; one value an image.

``counted`` ``(B, H, W)`` tells which pixels a loss is of; all by default. The losses are means over
pixels, Dice over sums; SSIM's windows count by their middle, and see no difference elsewhere.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

Loss = Callable[[Tensor, Tensor, Tensor | None], Tensor]
_WINDOW, _SIGMA = 11, 1.5


def l1(saliency: Tensor, mask: Tensor, counted: Tensor | None = None) -> Tensor:
    """Return mean |s - m|, ``(B,)``."""
    return _mean((saliency - mask).abs(), counted)


def l2(saliency: Tensor, mask: Tensor, counted: Tensor | None = None) -> Tensor:
    """Return mean (s - m)^2, ``(B,)``."""
    return _mean((saliency - mask).square(), counted)


def bce(saliency: Tensor, mask: Tensor, counted: Tensor | None = None) -> Tensor:
    """Return the mean binary cross-entropy, ``(B,)``."""
    # Probabilities are lost to rounding near 0 and 1, and autocast forbids this loss in half.
    with torch.autocast(saliency.device.type, enabled=False):
        loss = functional.binary_cross_entropy(saliency.float(), mask.float(), reduction="none")
    return _mean(loss, counted)


def dice(saliency: Tensor, mask: Tensor, counted: Tensor | None = None) -> Tensor:
    """Return 1 - (2 sum(s m) + 1) / (sum(s) + sum(m) + 1), ``(B,)``; milletari2016vnet."""
    if counted is not None:
        saliency, mask = saliency * counted, mask * counted
    overlap = (saliency * mask).sum(dim=(1, 2))
    total = saliency.sum(dim=(1, 2)) + mask.sum(dim=(1, 2))
    return 1 - (2 * overlap + 1) / (total + 1)


def ssim(saliency: Tensor, mask: Tensor, counted: Tensor | None = None) -> Tensor:
    """Return 1 - SSIM with a Gaussian window of 11 pixels, sigma 1.5, ``(B,)``; wang2004ssim."""
    first, second = 0.01**2, 0.03**2
    if counted is not None:
        saliency, mask = saliency * counted, mask * counted
        inner = _WINDOW // 2
        counted = counted[:, inner:-inner, inner:-inner]
    x, y = saliency.float()[:, None], mask.float()[:, None]
    means = _blur(torch.cat([x, y, x * x, y * y, x * y], dim=1))
    mean_x, mean_y, square_x, square_y, product = means.unbind(dim=1)
    variance_x, variance_y = square_x - mean_x**2, square_y - mean_y**2
    covariance = product - mean_x * mean_y
    similarity = ((2 * mean_x * mean_y + first) * (2 * covariance + second)) / (
        (mean_x**2 + mean_y**2 + first) * (variance_x + variance_y + second)
    )
    return _mean(1 - similarity, counted)


def _mean(values: Tensor, counted: Tensor | None) -> Tensor:
    if counted is None:
        return values.mean(dim=(1, 2))
    return (values * counted).sum(dim=(1, 2)) / counted.sum(dim=(1, 2)).clamp(min=1)


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
