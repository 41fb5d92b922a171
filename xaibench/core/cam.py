"""What several CAM methods share."""

from collections.abc import Callable

import torch
from torch import Tensor, einsum
from torch.nn import functional

from xaibench.core.maps import min_max


def plus_plus_weights(gradients: Tensor, activations: Tensor) -> Tensor:
    """Return Grad-CAM++'s channel weights ``(B, D)``.

    sum_hw alpha * ReLU(g), where alpha = m(g^2) / (2 m(g^2) + m(g^3) sum_hw A), m being the mean
    over noisy copies and g alone the mean gradient. Of a single copy that is 1 / (2 + g sum_hw A).
    Powers of gradients under- and overflow, so that they are taken of gradients in units of the
    image's largest, and no small number is added to the denominator: the map would depend on the
    scale of the logits.

    Args:
        gradients: ``(B, N, D, h, w)`` of N copies of each image.
        activations: ``(B, D, h, w)``.
    """
    mean, total = gradients.mean(dim=1), activations.sum(dim=(2, 3), keepdim=True)
    largest = gradients.abs().amax(dim=(1, 2, 3, 4), keepdim=True)
    units = torch.where(largest > 0, gradients / largest, 0.0)
    # The mean of cubes by that of squares; of a single copy it is the gradient itself.
    second, third = units.square().mean(dim=1), units.pow(3).mean(dim=1)
    ratio = mean if gradients.shape[1] == 1 else largest[:, 0] * third / second
    denominator = 2 + torch.where(second > 0, ratio, mean) * total
    alpha = torch.where(denominator != 0, 1 / denominator, 0.0)
    return (alpha * mean.relu()).sum(dim=(2, 3))


def principal_map(features: Tensor) -> Tensor:
    """Return the projection ``(B, h, w)`` of ``(B, D, h, w)`` on its first principal component.

    Channels are centered over the positions. The projection comes from the smaller of both Gram
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


def map_by_scores(
    image: Tensor,
    maps: Tensor,
    respond: Callable[..., Tensor],
    samples: int = 1,
    change: Callable[[Tensor, int, int], Tensor] | None = None,
    *,
    align_corners: bool = False,
) -> Tensor:
    """Return ReLU(sum_d w_d A_d), w the softmax of the logits of the image seen through A_d.

    Args:
        image: ``(C, H, W)``.
        maps: A, ``(D, h, w)``.
        respond: copies of the image and their number -> the target's logits.
        samples: copies for each map, over which logits are averaged.
        change: masks ``(n, H, W)`` in [0, 1] of the copies from ``first`` to ``last``, copies of
            one map side by side -> what the image is multiplied by.
        align_corners: how maps are resized.
    """
    # A map of zeros adds nothing; the others' weights all grow by one factor without it.
    maps = maps[maps.flatten(1).any(dim=1)]
    if not len(maps):
        return maps.new_zeros(maps.shape[1:])

    def through(first: int, last: int) -> Tensor:
        numbers = torch.arange(first, last, device=maps.device) // samples
        wide = functional.interpolate(
            maps[None, numbers], image.shape[1:], mode="bilinear", align_corners=align_corners
        )[0]
        masks = min_max(wide).nan_to_num(0)
        return image * (masks if change is None else change(masks, first, last))[:, None]

    logits = respond(through, len(maps) * samples).view(len(maps), samples)
    weights = functional.softmax(logits.mean(dim=1), dim=0)
    return einsum("d,dhw->hw", weights, maps).relu()
