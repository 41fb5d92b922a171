"""FullGrad: the input's share of the logit and every bias's share, added up."""

from collections.abc import Callable

from torch import Tensor

from xaibench.core.maps import min_max, resize
from xaibench.core.registry import method


@method(paper="srinivas2019fullgrad", family="gradient", sign="none")
def fullgrad(images: Tensor, sum_over_biases: Callable[..., tuple[Tensor, Tensor]]) -> Tensor:
    """Return psi(x * dy/dx) + sum over layers and channels of psi(b * dy/db), shape (B, H, W).

    psi takes absolute values and stretches each channel of each image to [0, 1]. As it is linear
    behind the stretching, a layer's channels are added before they are resized, once.
    """
    size = (images.shape[2], images.shape[3])

    def term(gradient: Tensor, bias: Tensor) -> Tensor:
        return resize(_stretched((gradient * bias[:, None, None]).abs()), size)

    gradients, total = sum_over_biases(term)
    return _stretched((gradients * images).abs()) + total


def _stretched(values: Tensor) -> Tensor:
    """Stretch each channel of ``(B, D, h, w)`` to [0, 1], constant ones to 0, and add them up."""
    return min_max(values.flatten(0, 1)).nan_to_num(0).view_as(values).sum(dim=1)
