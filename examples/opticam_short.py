"""Opti-CAM in short: weights of activation maps that keep the logit highest."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

import xaibench


@xaibench.method(family="cam", sign="none", title="Opti-CAM in short", paper="zhang2023opticam")
def opticam_short(
    images: Tensor,
    activations: Tensor,
    differentiate: Callable[[Tensor], Tensor],
    *,
    steps: int = 50,
) -> Tensor:
    """Return sum_d softmax(u)_d A_d with u found by Adam, for all images at once, (B, h, w)."""
    with torch.inference_mode(mode=False), torch.enable_grad():
        images, maps = images.clone(), activations.clone()
        weights = images.new_zeros(maps.shape[:2], requires_grad=True)
        optimizer = torch.optim.Adam([weights], lr=0.1, maximize=True)
        for _ in range(steps):
            mixed = torch.einsum("bd,bdhw->bhw", weights.softmax(dim=1), maps)[:, None]
            low, high = mixed.amin(dim=(2, 3), keepdim=True), mixed.amax(dim=(2, 3), keepdim=True)
            mask = (mixed - low) / torch.where(high > low, high - low, 1)
            seen = images * functional.interpolate(mask, images.shape[2:], mode="bilinear")
            # The engine takes the network's gradients, in batches that fit into memory.
            (weights.grad,) = torch.autograd.grad(seen, weights, differentiate(seen.detach()))
            optimizer.step()
        return mixed[:, 0].detach()
