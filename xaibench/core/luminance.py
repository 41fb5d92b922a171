"""What networks see of images: their channels or their luminance, normalized."""

from torch import Tensor

# Of red, green and blue (ITU-R BT.601), as Pillow and torchvision make gray images.
_SHARES = (0.299, 0.587, 0.114)


def luminance(images: Tensor) -> Tensor:
    """Return the gray images ``(B, 1, H, W)`` of images ``(B, 3, H, W)``."""
    return (images * images.new_tensor(_SHARES).view(-1, 1, 1)).sum(dim=1, keepdim=True)


def normalize_channels(images: Tensor, channels: int, mean: Tensor, std: Tensor) -> Tensor:
    """Return ``(images - mean) / std``; of other channels than theirs by the means of these.

    Args:
        images: ``(B, C, H, W)`` in [0, 1].
        channels: that a network reads; 1 is the luminance of three.
        mean: ``(M, 1, 1)``.
        std: ``(M, 1, 1)``.
    """
    seen = luminance(images) if channels == 1 else images
    if channels == len(mean):
        return (seen - mean) / std
    return (seen - mean.mean()) / std.mean()
