"""LeGrad: how each layer's logit answers to that layer's attention."""

import torch
from torch import Tensor

from xaibench.core.passes.attentions import Attentions
from xaibench.core.registry import method


@method(paper="bousselham2025legrad", family="attention", sign="none")
def legrad(exit_attentions: Attentions) -> Tensor:
    """Return the mean over layers and heads of (ds/dA)+, the class token's row, (B, h, w).

    s is the logit that a layer's own tokens would give if they were the last layer's, and A that
    layer's attention. Where patches are pooled, it is the mean of their rows.
    """
    layers = exit_attentions.layers(_positive, gradients=True)
    return exit_attentions.read(torch.stack(layers).mean(dim=0))


def _positive(_weights: Tensor, gradients: Tensor) -> Tensor:
    return gradients.relu().mean(dim=1)
