"""Attention of a vision transformer: what the classifying token takes from each patch."""

from typing import Literal

import torch
from torch import Tensor

from xaibench.core.passes.attentions import Attentions
from xaibench.core.registry import method


@method(paper="chefer2021generic", family="attention", sign="none")
def attention(
    attentions: Attentions, *, rule: Literal["raw", "rollout", "chefer"] = "chefer"
) -> Tensor:
    """Return the class token's row of all layers' attention A, joined by a rule, (B, h, w).

    Where the patches are pooled, it is the mean of their rows; a last layer that pools by attention
    has the only row.

    Options:
        rule: ``raw`` takes the last layer's A, averaged over heads; ``rollout``
            (abnar2020quantifying) the product of (A + I) / 2 over layers; ``chefer`` the relevance
            R <- R + mean over heads of (A * dy/dA)+ R, from R = I, of the class explained.
    """
    if rule == "raw":
        return attentions.read(attentions.layers(_mean_of_heads)[-1])
    join = _relevant if rule == "chefer" else _mean_of_heads
    layers = attentions.layers(join, gradients=rule == "chefer")
    total = torch.eye(layers[0].shape[-1]).to(layers[0])
    for layer in layers:
        step = layer @ total
        if layer.shape[1] > 1:  # a pooling layer has no way around it
            step = step + total if rule == "chefer" else (step + total) / 2
        total = step
    return attentions.read(total)


def _mean_of_heads(weights: Tensor, _gradients: Tensor) -> Tensor:
    return weights.mean(dim=1)


def _relevant(weights: Tensor, gradients: Tensor) -> Tensor:
    return (weights * gradients).relu().mean(dim=1)
