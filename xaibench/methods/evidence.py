"""What each position adds to the target's logit, of networks whose logits are such a sum."""

from torch import Tensor

from xaibench.core.registry import method


@method(family="inherent", paper="djoumessi2025softcam")
def evidence(evidence: Tensor, targets: Tensor) -> Tensor:
    """Return the evidence for the target's class, shape (B, h, w)."""
    return evidence.take_along_dim(targets[:, None, None, None], dim=1)[:, 0]
