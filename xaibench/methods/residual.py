"""What an autoencoder couldn't draw: it has never seen the like."""

from torch import Tensor

from xaibench.core.registry import method


# It has learned, but from images alone: family="learned" would say that it saw masks.
@method(family="other", sign="none")
def residual(images: Tensor, reconstruction: Tensor) -> Tensor:
    """Return mean_c |x - x^|, shape (B, H, W)."""
    return (images - reconstruction).abs().mean(dim=1)
