"""IROF: how fast the confidence falls while the most relevant superpixels are taken away."""

import math

import torch
from torch import Tensor

from xaibench.core.baselines import Baseline, baseline_of
from xaibench.core.confidence import Predict, confidence_of
from xaibench.core.errors import XaibenchError
from xaibench.core.registry import metric
from xaibench.core.superpixels import find_superpixels

_IMAGES_AT_ONCE = 64


@metric(
    higher_is_better=True,
    paper="rieger2020irof",
    family="faithfulness",
    bounds=(-math.inf, 1.0),
    target="predicted",
    ties="the superpixel of the lower number goes first",
    title="IROF",
)
def irof(
    maps: Tensor,
    images: Tensor,
    targets: Tensor,
    confidence: Tensor,
    predict: Predict,
    *,
    superpixels: int = 50,
    baseline: Baseline = "mean",
) -> Tensor:
    """Return the area over p(x without l superpixels) / p(x), l = 0 ... L, shape (B,).

    p is the softmax confidence of the target. Superpixels go by the mean of the map over each, from
    the highest; trapezoids over the share of them that is gone. Up to 1, where all confidence is
    lost at once; 0 where none ever is, and below where it grows. Higher is better; NaN where there
    is no confidence to lose.

    Options:
        superpixels: about as many parts an image is cut into; each costs one pass.
        baseline: what a removed pixel becomes.

    >>> from torch import stack, tensor, zeros
    >>> def predict(images):  # what is left of the left half is the confidence
    ...     left = images[:, 0, :, :2].mean(dim=(1, 2))
    ...     return stack([left, 1 - left], dim=1)
    >>> images = tensor([[[[0.8, 0.8, 0.0, 0.0], [0.8, 0.8, 0.0, 0.0]]]])
    >>> case = images[:, 0], images, zeros(1).long(), tensor([0.8]), predict
    >>> irof(*case, superpixels=2, baseline="black")
    tensor([0.7500])
    """
    if superpixels < 2:  # noqa: PLR2004
        raise XaibenchError(f"irof[superpixels={superpixels}]: choose at least 2.")
    bare = baseline_of(images, baseline)
    rows = range(len(maps))
    found = [
        _area(maps[row], images[row], bare[row], targets[row], predict, superpixels) for row in rows
    ]
    return 1 - torch.stack(found).to(confidence) / confidence


def _area(
    heat: Tensor, image: Tensor, bare: Tensor, target: Tensor, predict: Predict, count: int
) -> Tensor:
    """Return the area under one image's confidence."""
    parts = find_superpixels(image, count)
    flat, size = parts.flatten(), int(parts.max()) + 1
    sums = heat.new_zeros(size, dtype=torch.float64).scatter_add_(0, flat, heat.flatten().double())
    order = (sums / flat.bincount(minlength=size)).argsort(descending=True, stable=True)
    place = torch.empty_like(order)
    place[order] = torch.arange(size, device=order.device)
    turn, left = place[parts], []
    for first in range(0, size + 1, _IMAGES_AT_ONCE):
        last = min(first + _IMAGES_AT_ONCE, size + 1)
        gone = turn < torch.arange(first, last, device=turn.device)[:, None, None]
        seen = torch.where(gone[:, None], bare, image)
        left.append(confidence_of(target[None], seen, predict).double())
    return torch.trapezoid(torch.cat(left), dx=1 / size)
