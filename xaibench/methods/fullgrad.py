"""FullGrad: the input's share of the logit and every bias's share, added up."""

from collections.abc import Callable

import torch
from torch import Tensor

from xaibench.core.maps import resize
from xaibench.core.registry import method

# A channel that varies by less than this share of its size varies by rounding alone.
_FLAT = 1e-6


@method(paper="srinivas2019fullgrad", family="gradient", sign="none")
def fullgrad(
    images: Tensor,
    sum_over_biases: Callable[..., tuple[Tensor, Tensor]],
    promise: Callable[[Tensor, Tensor], None],
) -> Tensor:
    """Return psi(x * dy/dx) + sum over layers and channels of psi(b * dy/db), shape (B, H, W).

    Biases are those of layers, norms and added parameters, and the implicit ones of nonlinearities
    that aren't piecewise linear (what they give beyond derivative times input). Their parts and
    the input's add up to the logit. psi takes absolute values and stretches each channel of each
    image to [0, 1]. As it is linear behind the stretching, a layer's channels are added before they
    are resized, once.
    """
    size = (images.shape[2], images.shape[3])

    def term(gradient: Tensor, bias: Tensor) -> Tensor:
        if bias.ndim > 1:  # not the same at all places
            every = torch.ones_like(bias[0, :, 0, 0], dtype=torch.bool)
            return resize(_stretched((gradient * bias).abs(), every), size)
        # Stretching cancels a factor of the channel: of the bias counts only whether there is one.
        return resize(_stretched(gradient.abs(), bias != 0), size)

    gradients, total = sum_over_biases(term, promise)
    every = torch.ones(images.shape[1], dtype=torch.bool, device=images.device)
    return _stretched((gradients * images).abs(), every) + total


def _stretched(values: Tensor, channels: Tensor) -> Tensor:
    """Stretch each of some channels of ``(B, D, h, w)`` to [0, 1], constant ones to 0; add up."""
    lowest, highest = values.amin(dim=(2, 3)), values.amax(dim=(2, 3))
    span = highest - lowest
    scale = torch.where((span > _FLAT * highest) & channels, 1 / span, 0.0)
    shift = (lowest * scale).sum(dim=1)[:, None, None]
    return torch.einsum("bd,bdhw->bhw", scale, values) - shift
