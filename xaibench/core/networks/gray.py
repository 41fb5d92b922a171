"""Networks of one channel: they see the luminance of images."""

import torch
from torch import Tensor, nn

from xaibench.core.errors import XaibenchError
from xaibench.core.model import Classifier

_COLORS = 3
# Of red, green and blue (ITU-R BT.601), as Pillow and torchvision make gray images.
_LUMINANCE = (0.299, 0.587, 0.114)


class GrayClassifier(Classifier):
    """A network whose first layer reads one channel."""

    def normalize(self, images: Tensor) -> Tensor:
        """Return the luminance ``(B, 1, H, W)``, normalized by the mean of the three channels'."""
        weights = images.new_tensor(_LUMINANCE).view(-1, 1, 1)
        gray = (images * weights).sum(dim=1, keepdim=True)
        return (gray - self.mean.mean()) / self.std.mean()


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
