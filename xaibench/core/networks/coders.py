"""Convolutional encoders and decoders of autoencoders, for images of any size."""

from itertools import pairwise
from math import log2

from torch import Tensor, nn
from torch.nn import functional

from xaibench.core.errors import XaibenchError

_GRID = 4
_NARROWEST, _WIDEST = 32, 256
_SLOPE = 0.2


class Encoder(nn.Sequential):
    """Blocks of a 3x3 convolution of stride 2, then a grid of 4x4, flattened into a code."""

    def __init__(self, image_size: int, code: int, *, modified: bool = False) -> None:
        widths = [3, *_widths(image_size)]
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers.append(nn.Conv2d(before, after, kernel_size=3, stride=2, padding=1))
            layers += _activation(after, modified=modified)
        super().__init__(
            *layers,
            nn.AdaptiveAvgPool2d(_GRID),
            nn.Flatten(),
            nn.Linear(widths[-1] * _GRID**2, code),
        )


class Decoder(nn.Module):
    """The way back: a grid of 4x4, then blocks of [enlarge x2, 3x3 convolution]."""

    def __init__(self, image_size: int, code: int, *, modified: bool = False) -> None:
        super().__init__()
        widths = [*reversed(_widths(image_size)), _NARROWEST]
        self.first = nn.Linear(code, widths[0] * _GRID**2)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(before, after, kernel_size=3, padding=1),
                *_activation(after, modified=modified),
            )
            for before, after in pairwise(widths)
        )
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


def _widths(image_size: int) -> list[int]:
    """Return the channels of as many halvings as lead from the image to the grid."""
    count = max(round(log2(image_size / _GRID)), 1)
    return [min(_NARROWEST << step, _WIDEST) for step in range(count)]


def _activation(width: int, *, modified: bool) -> list[nn.Module]:
    if modified:
        return [nn.BatchNorm2d(width), nn.LeakyReLU(_SLOPE, inplace=True)]
    return [nn.ReLU(inplace=True)]
