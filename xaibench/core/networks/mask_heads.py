"""Saliency prediction networks: from the trunk's activations to a map ``(B, h, w)`` in [0, 1]."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from xaibench.core.errors import XaibenchError

Upsampling = Literal["bilinear", "nearest", "transposed", "shuffle"]
_NARROWEST = 16
# Sizes at which the `rasaee` head is after each block, for images of 224 pixels.
_RASAEE_SIZES = {3: (16, 64, 224), 4: (16, 48, 144, 224)}
_REFERENCE_SIZE = 224


class SaliencyDecoder(nn.Sequential):
    """The SPN: blocks of [upsample x2, 3x3 conv, batch norm, ReLU], a 1x1 conv and a sigmoid.

    Five blocks lead from a trunk of stride 32 to the image's own size. Each block halves the
    channels, from at most 256 down to 16.
    """

    def __init__(self, channels: int, blocks: int, upsampling: Upsampling, maps: int = 1) -> None:
        layers: list[nn.Module] = []
        width = min(channels, 512)
        for _ in range(blocks):
            narrower = max(width // 2, _NARROWEST)
            layers += [
                _upsampler(upsampling, channels),
                nn.Conv2d(channels, narrower, kernel_size=3, padding=1, bias=False),
                nn.BatchNorm2d(narrower),
                nn.ReLU(inplace=True),
            ]
            channels = width = narrower
        super().__init__(*layers, nn.Conv2d(channels, maps, kernel_size=1), nn.Sigmoid())
        self.maps = maps

    def forward(self, activations: Tensor) -> Tensor:
        """Return the map ``(B, 2^n h, 2^n w)``, or several ``(B, maps, 2^n h, 2^n w)``."""
        for layer in self:
            activations = layer(activations)
        return activations if self.maps > 1 else activations[:, 0]


class Attention(nn.Module):
    """The `attention` head: channel mean, 1x1 conv, sigmoid, at the trunk's own resolution."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 1, kernel_size=1)

    def forward(self, activations: Tensor) -> Tensor:
        """Return the map ``(B, h, w)``."""
        return torch.sigmoid(self.conv(activations.mean(dim=1, keepdim=True)))[:, 0]


class DeepAttention(nn.Sequential):
    """The `attention2` head: n x [3x3 conv, batch norm, LeakyReLU], C, C/2, C/4, ..., 1."""

    def __init__(self, channels: int, blocks: int) -> None:
        widths = [max(channels >> step, 1) for step in range(blocks)] + [1]
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [
                nn.Conv2d(before, after, kernel_size=3, padding=1, bias=False),
                nn.BatchNorm2d(after),
                nn.LeakyReLU(inplace=True),
            ]
        super().__init__(*layers, nn.Sigmoid())

    def forward(self, activations: Tensor) -> Tensor:
        """Return the map ``(B, h, w)``."""
        for layer in self:
            activations = layer(activations)
        return activations[:, 0]


class Rasaee(nn.Module):
    """The `rasaee` head: n x [3x3 conv, ReLU6, bilinear upsample, batch norm] to the image's size.

    Four blocks give C, C/4, C/16, 16, 1 channels at 16, 48, 144, 224 pixels; three give C, C/8,
    C/64, 1 at 16, 64, 224. For other image sizes the sizes scale.
    """

    def __init__(self, channels: int, blocks: int) -> None:
        super().__init__()
        if blocks not in _RASAEE_SIZES:
            raise XaibenchError(f"the rasaee mask head has 3 or 4 blocks, not {blocks}.")
        widths = {
            3: [channels, channels // 8, channels // 64, 1],
            4: [channels, channels // 4, channels // 16, 16, 1],
        }[blocks]
        widths = [max(width, 1) for width in widths]
        self.sizes: Sequence[int] = _RASAEE_SIZES[blocks]
        self.convs = nn.ModuleList(
            nn.Conv2d(before, after, kernel_size=3, padding=1) for before, after in pairwise(widths)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(after) for after in widths[1:])

    def forward(self, activations: Tensor, size: tuple[int, int]) -> Tensor:
        """Return the map ``(B, H, W)`` at the image's ``size``."""
        maps = activations
        for conv, norm, wanted in zip(self.convs, self.norms, self.sizes, strict=True):
            height, width = (max(round(side * wanted / _REFERENCE_SIZE), 1) for side in size)
            maps = functional.relu6(conv(maps))
            maps = norm(functional.interpolate(maps, (height, width), mode="bilinear"))
        return torch.sigmoid(maps)[:, 0]


def _upsampler(upsampling: Upsampling, channels: int) -> nn.Module:
    if upsampling == "transposed":
        return nn.ConvTranspose2d(channels, channels, kernel_size=2, stride=2)
    if upsampling == "shuffle":
        return nn.Sequential(
            nn.Conv2d(channels, 4 * channels, kernel_size=1), nn.PixelShuffle(upscale_factor=2)
        )
    return nn.Upsample(scale_factor=2, mode=upsampling)
