"""Localization losses between saliency ``(B, H, W)`` in [0, 1] and masks; one value an image.

``counted`` ``(B, H, W)`` tells which pixels a loss is of; all by default. The losses are means over
pixels, Dice over sums; SSIM's windows count by their middle, and see no difference elsewhere.
"""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

Loss = Callable[[Tensor, Tensor, Tensor | None], Tensor]
_WINDOW, _SIGMA = 11, 1.5
_FOCUS, _MARKED = 2.0, 0.25
# Missed pixels cost more than those marked in vain.
_IN_VAIN, _MISSED = 0.3, 0.7


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
    saliency, mask = _only(saliency, mask, counted)
    overlap = (saliency * mask).sum(dim=(1, 2))
    total = saliency.sum(dim=(1, 2)) + mask.sum(dim=(1, 2))
    return 1 - (2 * overlap + 1) / (total + 1)


def bce_dice(saliency: Tensor, mask: Tensor, counted: Tensor | None = None) -> Tensor:
    """Return the sum of both losses, ``(B,)``."""
    return bce(saliency, mask, counted) + dice(saliency, mask, counted)


def focal(saliency: Tensor, mask: Tensor, counted: Tensor | None = None) -> Tensor:
    """Return the mean of -a (1 - p)^2 log p, ``(B,)``; p is what the pixel's truth was given.

    a is 0.25 for marked pixels and 0.75 for others; lin2017focal.
    """
    with torch.autocast(saliency.device.type, enabled=False):
        predicted, truth = saliency.float(), mask.float()
        each = functional.binary_cross_entropy(predicted, truth, reduction="none")
        right = predicted * truth + (1 - predicted) * (1 - truth)
        share = _MARKED * truth + (1 - _MARKED) * (1 - truth)
    return _mean(share * (1 - right) ** _FOCUS * each, counted)


def tversky(saliency: Tensor, mask: Tensor, counted: Tensor | None = None) -> Tensor:
    """Return 1 - (TP + 1) / (TP + 0.3 FP + 0.7 FN + 1), ``(B,)``; salehi2017tversky."""
    saliency, mask = _only(saliency, mask, counted)
    hits = (saliency * mask).sum(dim=(1, 2))
    in_vain = (saliency * (1 - mask)).sum(dim=(1, 2))
    missed = ((1 - saliency) * mask).sum(dim=(1, 2))
    return 1 - (hits + 1) / (hits + _IN_VAIN * in_vain + _MISSED * missed + 1)


def boundary(saliency: Tensor, mask: Tensor, counted: Tensor | None = None) -> Tensor:
    """Return dice + mean(d (s - m)), ``(B,)``: d is the mask's signed distance.

    It is measured from the border, negative inside, in shares of the image's diagonal; without a
    border it is 0. kervadec2019boundary changes the weights of the two terms during training, which
    is left out.
    """
    saliency, mask = _only(saliency, mask, counted)
    each = np.stack([_signed_distance(truth) for truth in (mask > 0).cpu().numpy()])
    distances = torch.from_numpy(each).to(saliency)
    return dice(saliency, mask, counted) + _mean(distances * (saliency - mask), counted)


def _signed_distance(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    if mask.all() or not mask.any():
        return np.zeros(mask.shape)
    to_mask = ndimage.distance_transform_edt(~mask)
    to_rest = ndimage.distance_transform_edt(mask)
    # A pixel at the border is half a pixel away from it.
    signed = np.where(mask, 0.5 - to_rest, to_mask - 0.5)
    return np.asarray(signed / np.hypot(*mask.shape))


def ssim(saliency: Tensor, mask: Tensor, counted: Tensor | None = None) -> Tensor:
    """Return 1 - SSIM with a Gaussian window of 11 pixels, sigma 1.5, ``(B,)``; wang2004ssim."""
    first, second = 0.01**2, 0.03**2
    saliency, mask = _only(saliency, mask, counted)
    if counted is not None:
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


def _only(saliency: Tensor, mask: Tensor, counted: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return both with zeros where they don't count."""
    return (saliency, mask) if counted is None else (saliency * counted, mask * counted)


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


LOSSES: Mapping[str, Loss] = {
    each.__name__: each for each in (l1, l2, ssim, bce, dice, bce_dice, focal, tversky, boundary)
}
