"""Networks of one channel: they see the luminance of images (`core.luminance`)."""

import torch
from torch import Tensor, nn

from xaibench.core.errors import XaibenchError

_COLORS = 3


def is_gray(name: str, channels: int) -> bool:
    """Whether a network reads one channel, by the option ``channels``.

    Raises:
        XaibenchError: it is none of 0, 1 and 3.
    """
    if channels not in (0, 1, _COLORS):
        raise XaibenchError(
            f"{name}[channels={channels}]: a run's images have three channels, so that a network "
            "reads 3, or 1 of their luminance; one of other images explains by xaibench.explain."
        )
    return channels == 1


def channels_of(trunk: nn.Module) -> int:
    """Return how many channels the first convolution of a trunk reads."""
    layers = (part for part in trunk.modules() if isinstance(part, nn.Conv2d))
    return next((layer.in_channels for layer in layers), _COLORS)


def read_one_channel(network: nn.Module) -> None:
    """Replace the first convolution, whose weights are summed over colors.

    Raises:
        XaibenchError: no convolution reads three channels.
    """
    found = [
        part for part in network.modules()
        if isinstance(part, nn.Conv2d) and part.in_channels == _COLORS
    ]  # fmt: skip
    if len(found) != 1:
        raise XaibenchError(
            f"{type(network).__name__}: {len(found)} convolutions read three channels, so that it "
            "can't be made for one; drop channels=1, or take another network."
        )
    layer = found[0]
    layer.weight = nn.Parameter(sum_colors(layer.weight.detach()))
    layer.in_channels = 1
    for part in network.modules():
        if getattr(part, "num_channels", None) == _COLORS:
            part.__dict__["num_channels"] = 1  # some of Hugging Face's compare the images with it


def sum_colors(weight: Tensor) -> Tensor:
    """Return a convolution's weights ``(D, 3, h, w)`` for images of three equal channels."""
    return weight.sum(dim=1, keepdim=True)


def fits_summed(given: Tensor, own: torch.Size) -> bool:
    """Whether weights fit once they are summed over colors."""
    return given.ndim > 1 and given.shape[1] == _COLORS and given[:, :1].shape == own
