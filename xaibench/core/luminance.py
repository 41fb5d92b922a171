"""What networks of one channel see of an image."""

from torch import Tensor

# Of red, green and blue (ITU-R BT.601), as Pillow and torchvision make gray images.
_SHARES = (0.299, 0.587, 0.114)


def luminance(images: Tensor) -> Tensor:
    """Return the gray images ``(B, 1, H, W)`` of images ``(B, 3, H, W)``."""
    return (images * images.new_tensor(_SHARES).view(-1, 1, 1)).sum(dim=1, keepdim=True)
