"""Attention rollout in short: the attention of all layers of a vision transformer, multiplied."""

import torch
from torch import Tensor

import xaibench
from xaibench.core.passes.attentions import Attentions


@xaibench.method(
    family="attention", sign="none", title="Rollout in short", paper="abnar2020quantifying"
)
def rollout_short(attentions: Attentions) -> Tensor:
    """Return the class token's row of the product over layers of (A + I) / 2, (B, h, w)."""
    layers = attentions.layers(lambda weights, _gradients: weights.mean(dim=1))
    itself = torch.eye(layers[0].shape[-1]).to(layers[0])
    total = itself
    for layer in layers:
        total = (layer + itself) / 2 @ total
    return attentions.read(total)
