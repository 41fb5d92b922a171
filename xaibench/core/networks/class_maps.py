"""Losses of maps for each class: of those classes alone whose masks are known and may be seen."""

import torch
from torch import Tensor

from xaibench.core.data import IGNORED
from xaibench.core.maps import resize
from xaibench.core.networks.losses import Loss


def class_loss(measure: Loss, saliency: Tensor, masks: Tensor, known: Tensor) -> Tensor:
    """Return each image's mean over its known classes of a localization loss, ``(B,)``.

    0 where none is known. A class that doesn't show has an empty mask, and is known so.

    Args:
        measure: one of `core.networks.losses.LOSSES`.
        saliency: ``(B, K, h, w)`` in [0, 1].
        masks: ``(B, K, H, W)`` int8 grades.
        known: ``(B, K)`` bool; at least one is.
    """
    mine = masks[known]
    predicted = resize(saliency[known].float(), (masks.shape[2], masks.shape[3]))
    settled = mine != IGNORED
    counted = None if bool(settled.all()) else settled
    return mean_over_classes(measure(predicted, (mine > 0).float(), counted), known)


def mean_over_classes(costs: Tensor, known: Tensor) -> Tensor:
    """Return each image's mean of what its known classes cost, ``(B,)``; 0 without any.

    Args:
        costs: ``(n,)``, image after image.
        known: ``(B, K)`` bool, ``n`` of them.
    """
    total = torch.zeros(len(known), dtype=costs.dtype, device=costs.device)
    total = total.index_add(0, known.nonzero()[:, 0], costs)
    return total / known.sum(dim=1).clamp(min=1)
