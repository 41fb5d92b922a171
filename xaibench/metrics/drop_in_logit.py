"""Average Drop of the logit, as pytorch-grad-cam counts it."""

import math
from collections.abc import Callable

from torch import Tensor

from xaibench.core.registry import metric
from xaibench.core.rise_baselines import normalized_zero


@metric(
    higher_is_better=False,
    paper="chattopadhay2018gradcampp",
    family="faithfulness",
    bounds=(0.0, math.inf),
    target="predicted",
    ties="of no account",
    baseline="ImageNet's mean color, zero of normalized pixels",
    title="Average Drop of the logit",
)
def drop_in_logit(
    maps: Tensor, images: Tensor, targets: Tensor, respond: Callable[[Tensor], Tensor]
) -> Tensor:
    """Return max(0, y(x) - y(covered x)), y the target's logit, shape (B,).

    What pytorch-grad-cam's DropInConfidence gives by default: normalized pixels are multiplied by
    the map, and the difference isn't divided by y(x), as `drop_in_confidence` is by the confidence.
    Logits have no common scale: only rows of one network compare. Lower is better; 0 where nothing
    is lost, and for a map of ones, which covers nothing.

    >>> from torch import full, stack, tensor, zeros
    >>> def respond(images):  # the left pixel is the logit
    ...     return stack([images[:, 0, 0, 0], -images[:, 0, 0, 0]], dim=1)
    >>> images = full((1, 3, 1, 2), 0.985)
    >>> drop_in_logit(tensor([[[0.5, 1.0]]]), images, zeros(1).long(), respond)  # to 0.735
    tensor([0.2500])
    """
    zero = normalized_zero(images)
    covered = zero + (images - zero) * maps[:, None]
    before, after = (respond(each).gather(1, targets[:, None])[:, 0] for each in (images, covered))
    return (before - after).clamp(min=0)
