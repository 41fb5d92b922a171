"""What several CAM methods share."""

import torch
from torch import Tensor


def plus_plus_weights(first: Tensor, second: Tensor, third: Tensor, activations: Tensor) -> Tensor:
    """Return Grad-CAM++'s channel weights ``(B, D)`` from derivatives ``(B, D, h, w)``.

    sum_hw alpha * ReLU(first), alpha = second / (2 second + third * sum_hw A), and 0 where the
    gradient is 0. No small number is added to the denominator: squared gradients are often smaller
    than any that one would choose, and the map would depend on the scale of the logits.
    """
    total = activations.sum(dim=(2, 3), keepdim=True)
    denominator = 2 * second + third * total
    alpha = torch.where(denominator != 0, second / denominator, 0.0)
    return (alpha * first.relu()).sum(dim=(2, 3))


def principal_map(features: Tensor) -> Tensor:
    """Return the projection ``(B, h, w)`` of ``(B, D, h, w)`` on its first principal component.

    Channels are centred over the positions. The projection comes from the smaller of both Gram
    matrices, not from a singular value decomposition of ``hw x D``. Its sign, which is arbitrary,
    makes the largest absolute value positive. Of features that aren't finite the map is NaN.
    """
    height, width = features.shape[2:]
    rows = features.permute(0, 2, 3, 1).flatten(1, 2)  # (B, hw, D), no copy if channels are last
    finite = rows.isfinite().all(dim=(1, 2), keepdim=True)
    rows = torch.where(finite, rows - rows.mean(dim=1, keepdim=True), 0.0)
    if rows.shape[2] < rows.shape[1]:
        _, vectors = torch.linalg.eigh((rows.mT @ rows).double())
        projection = (rows @ vectors[:, :, -1:].to(rows))[:, :, 0]
    else:
        values, vectors = torch.linalg.eigh((rows @ rows.mT).double())
        projection = vectors[:, :, -1] * values[:, -1:].clamp(min=0).sqrt()
    peak = projection.gather(1, projection.abs().argmax(dim=1, keepdim=True))
    projection = torch.where(peak < 0, -projection, projection)
    projection = torch.where(finite[:, 0], projection, torch.nan)
    return projection.view(-1, height, width).to(features)
