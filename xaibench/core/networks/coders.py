"""Convolutional encoders and decoders of autoencoders, for images of any size."""

from collections.abc import Callable
from itertools import pairwise
from math import log2

from torch import Tensor, nn
from torch.nn import functional

from xaibench.core.errors import XaibenchError

_GRID = 4
_NARROWEST, _WIDEST = 32, 256
_SLOPE = 0.2
# Channels before and after, and a stride -> layers.
Block = Callable[[int, int, int], list[nn.Module]]


def plain_block(before: int, after: int, stride: int) -> list[nn.Module]:
    """Return a 3x3 convolution and a ReLU."""
    return [_convolution(before, after, stride), nn.ReLU(inplace=True)]


def normed_block(before: int, after: int, stride: int) -> list[nn.Module]:
    """Return a 3x3 convolution, a batch norm and a ReLU."""
    return [_convolution(before, after, stride), nn.BatchNorm2d(after), nn.ReLU(inplace=True)]


def leaky_block(before: int, after: int, stride: int) -> list[nn.Module]:
    """Return two times a 3x3 convolution, batch norm, leaky ReLU; the first has the stride."""
    return [
        layer
        for wide, step in ((before, stride), (after, 1))
        for layer in (
            _convolution(wide, after, step),
            nn.BatchNorm2d(after),
            nn.LeakyReLU(_SLOPE, inplace=True),
        )
    ]


class Encoder(nn.Sequential):
    """Blocks of stride 2, then a grid of 4x4, flattened into a code."""

    def __init__(self, image_size: int, code: int, block: Block = plain_block) -> None:
        widths = [3, *_widths(image_size)]
        super().__init__(
            *(layer for pair in pairwise(widths) for layer in block(*pair, 2)),
            nn.AdaptiveAvgPool2d(_GRID),
            nn.Flatten(),
            nn.Linear(widths[-1] * _GRID**2, code),
        )


class Decoder(nn.Module):
    """The way back: a grid of 4x4, then blocks, each behind an enlargement to twice the size."""

    def __init__(self, image_size: int, code: int, block: Block = plain_block) -> None:
        super().__init__()
        widths = [*reversed(_widths(image_size)), _NARROWEST]
        self.first = nn.Linear(code, widths[0] * _GRID**2)
        self.blocks = nn.ModuleList(nn.Sequential(*block(*pair, 1)) for pair in pairwise(widths))
        self.last = nn.Conv2d(_NARROWEST, 3, kernel_size=3, padding=1)

    def forward(self, codes: Tensor, size: tuple[int, int]) -> Tensor:
        """Return the pixels' logits ``(B, 3, H, W)`` for a ``size`` H, W."""
        maps = self.first(codes).relu().unflatten(1, (-1, _GRID, _GRID))
        for step, block in enumerate(self.blocks, start=1):
            halvings = len(self.blocks) - step
            # Rounded up, as convolutions of stride 2 do: sizes need not be powers of two.
            height, width = (-(-side // 2**halvings) for side in size)
            maps = block(functional.interpolate(maps, (height, width), mode="bilinear"))
        pixels: Tensor = self.last(maps)
        return pixels


def check_latent(latent: int) -> int:
    """Return the number of values in a code.

    Raises:
        XaibenchError: it is none.
    """
    if latent < 1:
        raise XaibenchError(f"latent={latent}: a code needs at least one value.")
    return latent


def _convolution(before: int, after: int, stride: int) -> nn.Conv2d:
    return nn.Conv2d(before, after, kernel_size=3, stride=stride, padding=1)


def _widths(image_size: int) -> list[int]:
    """Return the channels of as many halvings as lead from the image to the grid."""
    count = max(round(log2(image_size / _GRID)), 1)
    return [min(_NARROWEST << step, _WIDEST) for step in range(count)]
