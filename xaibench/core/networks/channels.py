"""Networks of another number of channels than three: their first convolution is made anew."""

import torch
from torch import Tensor, nn

from xaibench.core.errors import XaibenchError

COLORS = 3


def check_channels(name: str, channels: int) -> int:
    """Return how many channels a network reads by its option ``channels``, where 0 stands for 3.

    Raises:
        XaibenchError: it is negative.
    """
    if channels < 0:
        raise XaibenchError(
            f"{name}[channels={channels}]: give the number of the images' channels, or 1 for their "
            "luminance."
        )
    return channels or COLORS


def channels_of(trunk: nn.Module) -> int:
    """Return how many channels the first convolution of a trunk reads."""
    layers = (part for part in trunk.modules() if isinstance(part, nn.Conv2d))
    return next((layer.in_channels for layer in layers), COLORS)


def read_channels(network: nn.Module, channels: int) -> None:
    """Replace the first convolution's weights by those that `spread` gives.

    Raises:
        XaibenchError: no convolution reads three channels.
    """
    found = [
        part for part in network.modules()
        if isinstance(part, nn.Conv2d) and part.in_channels == COLORS
    ]  # fmt: skip
    if len(found) != 1 or found[0].groups != 1:
        raise XaibenchError(
            f"{type(network).__name__}: {len(found)} convolutions read three channels, so that it "
            f"can't be made for {channels}; take another network, or leave out channels=."
        )
    layer = found[0]
    layer.weight = nn.Parameter(spread(layer.weight.detach(), channels))
    layer.in_channels = channels
    for part in network.modules():
        if getattr(part, "num_channels", None) == COLORS:
            part.__dict__["num_channels"] = channels  # some of Hugging Face's compare the images


def spread(weight: Tensor, channels: int) -> Tensor:
    """Return a convolution's weights ``(D, 3, h, w)`` for images of so many channels.

    Those of one channel are summed, as for three equal ones. For more they are repeated in their
    order and scaled by 3 / channels, so that equal channels give what three of them gave, as
    timm's ``adapt_input_conv`` does (wightman2019timm).
    """
    if channels == 1:
        return weight.sum(dim=1, keepdim=True)
    order = torch.arange(channels, device=weight.device) % COLORS
    return weight[:, order] * (COLORS / channels)


def fits_spread(given: Tensor, own: torch.Size) -> bool:
    """Whether a network's first weights are those given, once they are spread."""
    if given.ndim < 2 or len(own) < 2:  # noqa: PLR2004
        return False
    others = given.shape[:1] + given.shape[2:] == own[:1] + own[2:]
    return others and given.shape[1] == COLORS != own[1]
