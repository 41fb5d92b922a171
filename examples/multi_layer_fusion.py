"""Multi-layer fusion: LayerCAM at every size of map, joined by the maximum."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

import xaibench


@xaibench.method(family="cam", title="Multi-layer fusion", paper="jiang2021layercam")
def multi_layer_fusion(layers: Callable[..., list[tuple[str, Tensor, Tensor]]]) -> Tensor:
    """Return max_l LayerCAM_l / max LayerCAM_l, at the size of the largest map, (B, h, w)."""
    found = layers()
    size = found[0][1].shape[2:]
    maps = []
    for _, activations, gradients in found:
        one = (gradients.relu() * activations).sum(dim=1, keepdim=True).relu()
        largest = one.amax(dim=(2, 3), keepdim=True)
        wide = functional.interpolate(
            one / torch.where(largest > 0, largest, 1), size, mode="bilinear"
        )
        maps.append(wide)
    return torch.cat(maps, dim=1).amax(dim=1)
