"""The saliency-aware network's own map."""

from torch import Tensor

from xaibench.core.registry import method


@method(family="learned", sign="none", rescale="none")
def spn(saliency: Tensor) -> Tensor:
    """Return the saliency prediction network's probabilities as they are, shape (B, h, w)."""
    return saliency
