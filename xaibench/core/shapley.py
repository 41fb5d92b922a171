"""Shapley values as the solution of a weighted linear regression (Lundberg 2017)."""

import math

import torch
from torch import Tensor


def draw_coalitions(players: int, samples: int, chances: Tensor) -> tuple[Tensor, Tensor]:
    """Return coalitions ``(n, players)`` bool and their weights ``(n,)``.

    The first is the empty one and the last the full one; their weight, which would be infinite, is
    NaN, as they are constraints. If all ``2^players`` are no more than ``samples`` they are all
    there with the Shapley kernel's weights; else they are drawn by it, in complementary pairs, with
    equal weights.

    Args:
        players: at least 1.
        samples: how many may be seen.
        chances: ``(samples, >= players + 1)`` uniform random numbers.
    """
    ends = torch.tensor([math.nan])
    edges = torch.zeros(1, players, dtype=torch.bool)
    if players < 2 or players <= math.log2(samples):  # noqa: PLR2004
        numbers = torch.arange(1, 2**players - 1)
        inner = (numbers[:, None] >> torch.arange(players)) % 2 == 1
        sizes = inner.sum(dim=1)
        weights = torch.tensor([_kernel(players, int(size)) for size in sizes])
    else:
        by_size = torch.tensor([1 / (s * (players - s)) for s in range(1, players)])
        pairs = (samples - 2) // 2
        steps = (by_size / by_size.sum()).cumsum(0)
        sizes = 1 + torch.searchsorted(steps, chances[:pairs, 0].clamp(max=float(steps[-1])))
        order = chances[:pairs, 1 : players + 1].argsort(dim=1).argsort(dim=1)
        half = order < sizes[:, None]
        inner = torch.stack([half, ~half], dim=1).flatten(0, 1)
        weights = torch.ones(len(inner))
    return torch.cat([edges, inner, ~edges]), torch.cat([ends, weights, ends])


def solve_shapley(coalitions: Tensor, weights: Tensor, values: Tensor) -> Tensor:
    """Return the players' values ``(players,)``; they add up to value(all) - value(none)."""
    nothing, everything = values[0].double(), values[-1].double()
    gain = everything - nothing
    inner, share = coalitions[1:-1].double(), weights[1:-1].double().sqrt()[:, None]
    # Differences to equal shares: with rows that add up to zero the shortest solution does, too,
    # which is the constraint, and what too few coalitions leave open stays equally shared.
    part = inner.mean(dim=1, keepdim=True)
    right = (values[1:-1].double() - nothing)[:, None] - part * gain
    found: Tensor = torch.linalg.pinv(share * (inner - part)) @ (share * right)
    return (found[:, 0] + gain / coalitions.shape[1]).to(values)


def _kernel(players: int, size: int) -> float:
    return (players - 1) / (math.comb(players, size) * size * (players - size))
