"""What images without a seen mask teach a saliency map: to agree with another look at them."""

import math
from typing import Literal

import torch
from torch import Tensor

from xaibench.core.batch import Batch
from xaibench.core.errors import XaibenchError
from xaibench.core.maps import resize
from xaibench.core.model import Model, evaluating
from xaibench.core.networks.losses import bce_dice, l2

Unlabeled = Literal["none", "mean_teacher", "pseudo", "consistency"]
# Pixels below 0.2 or above 0.8 are certain.
_CERTAIN = 0.3
_HALF = 0.5
# The weight has grown to 1 after this share of the training, as in tarvainen2017mean.
_RISE, _STEEPNESS = 0.4, 5.0


def agreement(kind: Unlabeled, model: Model, batch: Batch, saliency: Tensor) -> Tensor:
    """Return how far the maps of images without a seen mask are from those of a second look.

    The second look sees the mirror image, and its map is mirrored back. ``mean_teacher``
    (tarvainen2017mean) takes the squared difference to the map of the averaged weights; ``pseudo``
    takes that map, where it is certain, for a mask; ``consistency`` is the squared difference to
    the model's own map.

    Args:
        kind: see above.
        model: in training.
        batch: with the averaged weights as its ``teacher``, but for ``consistency``.
        saliency: the model's maps of the batch ``(B, h, w)``.

    Returns:
        The mean over the batch's images, with a weight that rises to 1.

    Raises:
        XaibenchError: there is no average of the weights.
    """
    hidden = ~batch.masked
    if not hidden.any():
        return 0 * saliency.sum()
    looker = model if kind == "consistency" else batch.teacher
    if looker is None:
        raise XaibenchError(
            f"unlabeled={kind} learns from the moving average of the weights: give --ema, such as "
            "--ema 0.98, or --recipe strong; or take unlabeled=consistency."
        )
    with torch.no_grad(), evaluating(looker):
        second = looker.outputs(batch.images[hidden].flip(3), saliency=True).saliency
    assert second is not None
    mirrored = second.flip(2)
    own = resize(saliency[hidden].float(), (mirrored.shape[1], mirrored.shape[2]))
    if kind == "pseudo":
        certain = (mirrored - _HALF).abs() >= _CERTAIN
        each = bce_dice(own, (mirrored > _HALF).float(), certain)
    else:
        each = l2(own, mirrored)
    left = 1 - min(batch.progress / _RISE, 1)
    return math.exp(-_STEEPNESS * left**2) * each.sum() / batch.images_counted
