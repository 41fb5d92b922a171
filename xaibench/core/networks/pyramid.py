"""A trunk in stages, and the decoder that joins them again: what sees coarse and fine at once."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

_WIDEST, _NARROWEST = 96, 32


class Pyramid(nn.Sequential):
    """A trunk cut where its resolution changes; called as a whole it gives the last activations."""

    @property
    def last_layer(self) -> str:
        """The name of the part that gives the last level."""
        return str(len(self) - 1)

    def levels(self, images: Tensor) -> list[Tensor]:
        """Return what each stage gives, the finest first."""
        found = []
        activations = images
        for stage in self:
            activations = stage(activations)
            found.append(activations)
        return found


class FeaturePyramid(nn.Module):
    """The last levels of a timm network, which hands them out itself.

    Args:
        network: with ``forward_intermediates``.
        count: number of levels.
    """

    last_layer = "last"

    def __init__(self, network: nn.Module, count: int) -> None:
        super().__init__()
        self.network, self.count, self.last = network, count, nn.Identity()

    def levels(self, images: Tensor) -> list[Tensor]:
        """Return the levels ``(B, D, h, w)``, the finest first."""
        look: Any = self.network.forward_intermediates
        found = look(images, indices=self.count, intermediates_only=True, output_fmt="NCHW")
        return [*found[:-1], self.last(found[-1])]

    def forward(self, images: Tensor) -> Tensor:
        """Return the last level."""
        return self.levels(images)[-1]


class SkipDecoder(nn.Module):
    """Doubles the resolution level by level, and joins what the trunk saw there.

    Each block enlarges bilinearly to the next finer level, joins both and has twice [3x3 conv,
    batch norm, ReLU]; 96 channels become 48, then 32. A 1x1 conv ends it. ronneberger2015unet, with
    narrower blocks, as a pretrained trunk does most of the work.

    Args:
        channels: of the trunk's levels, the finest first.
        outputs: channels that come out.
    """

    def __init__(self, channels: Sequence[int], outputs: int) -> None:
        super().__init__()
        coarsest, *finer = reversed(channels)
        widths = [max(_WIDEST // 2**depth, _NARROWEST) for depth in range(len(finer))]
        self.blocks = nn.ModuleList(
            _block(before + skip, width)
            for (before, width), skip in zip(pairwise([coarsest, *widths]), finer, strict=True)
        )
        self.last = nn.Conv2d(widths[-1] if widths else coarsest, outputs, kernel_size=1)

    def forward(self, levels: Sequence[Tensor]) -> Tensor:
        """Return logits ``(B, outputs, h, w)`` at the finest level."""
        joined, *finer = reversed(levels)
        for block, level in zip(self.blocks, finer, strict=True):
            enlarged = functional.interpolate(joined, level.shape[2:], mode="bilinear")
            joined = block(torch.cat([enlarged, level], dim=1))
        logits: Tensor = self.last(joined)
        return logits


def _block(channels: int, width: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before in (channels, width):
        layers += [
            nn.Conv2d(before, width, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers)
