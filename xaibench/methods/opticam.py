"""Opti-CAM: the mixture of activation maps through which the image keeps its logit best."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from xaibench.core.errors import XaibenchError
from xaibench.core.maps import min_max
from xaibench.core.registry import method


@method(paper="zhang2023opticam", family="cam", sign="none")
def opticam(
    images: Tensor,
    activations: Tensor,
    differentiate: Callable[[Tensor], Tensor],
    *,
    steps: int = 100,
    rate: float = 0.1,
) -> Tensor:
    """Return sum_d softmax(u)_d A_d, u the maximum of y(x * m), shape (B, h, w).

    m is the map at the image's size, min-max rescaled; u starts at equal weights.

    Options:
        steps: of Adam.
        rate: its learning rate.
    """
    if steps < 1 or rate <= 0:
        raise XaibenchError("opticam: 'steps' from 1, 'rate' above 0.")
    with torch.inference_mode(mode=False), torch.enable_grad():
        seen, maps = images.clone(), activations.clone()
        weights = seen.new_zeros(maps.shape[:2], requires_grad=True)
        optimizer = torch.optim.Adam([weights], lr=rate, maximize=True)
        for _ in range(steps):
            mask = _mix(weights, maps)[:, None]
            wide = functional.interpolate(mask, seen.shape[2:], mode="bilinear")
            masked = seen * min_max(wide[:, 0]).nan_to_num(0)[:, None]
            # The engine's gradient by what it saw, handed on to the weights: each image's own.
            gradient = differentiate(masked.detach())
            (slope,) = torch.autograd.grad(masked, weights, gradient)
            weights.grad = slope.nan_to_num(0)  # where a mask is constant no weight is better
            optimizer.step()
        return _mix(weights, maps).detach()


def _mix(weights: Tensor, maps: Tensor) -> Tensor:
    return torch.einsum("bd,bdhw->bhw", weights.softmax(dim=1), maps)
