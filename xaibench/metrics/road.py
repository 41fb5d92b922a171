"""Remove and debias: what the confidence does when the image is taken away and made up again."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from xaibench.core.errors import XaibenchError
from xaibench.core.imputation import impute
from xaibench.core.registry import metric
from xaibench.core.seeds import BatchGenerator


@metric(
    higher_is_better=True,
    paper="rong2022road",
    family="faithfulness",
    bounds=(-1.0, 1.0),
    target="predicted",
    turned_by={"order": "morf"},
)
def road(
    maps: Tensor,
    images: Tensor,
    targets: Tensor,
    predict: Callable[[Tensor], Tensor],
    generator: BatchGenerator,
    *,
    order: Literal["difference", "morf", "lerf"] = "difference",
    fractions: tuple[float, ...] = (0.2, 0.4, 0.6, 0.8),
    noise: float = 0.01,
) -> Tensor:
    """Return the mean confidence over fractions of removed pixels, shape (B,).

    ``morf`` removes the most relevant pixels first (lower is better), ``lerf`` the least relevant
    ones (higher is better), ``difference`` is (lerf - morf) / 2. Removed pixels are imputed from
    their neighbours, with noise. Exactly round(fraction * H * W) pixels are removed: among equal
    ones chance decides, the same for all methods.

    Options:
        order: what is removed first.
        fractions: of the pixels removed.
        noise: standard deviation of what is added to imputed pixels.
    """
    if not fractions or not all(0 < fraction < 1 for fraction in fractions) or noise < 0:
        raise XaibenchError("road: 'fractions' lie between 0 and 1, 'noise' is not negative.")
    chance = generator.uniform(*maps.shape[1:])
    added = noise * generator.normal(*images.shape[1:])
    ways = {"difference": (1, -1), "morf": (-1,), "lerf": (1,)}[order]
    total = torch.zeros_like(targets, dtype=torch.float32)
    for way in ways:
        rank = _ranks(way * maps, chance)
        for fraction in fractions:
            gone = rank < round(fraction * maps[0].numel())
            seen = impute(images, gone) + added * gone[:, None]
            confidence = predict(seen).gather(1, targets[:, None])[:, 0]
            total += confidence if order != "difference" else way * confidence / 2
    return total / len(fractions)


def _ranks(values: Tensor, chance: Tensor) -> Tensor:
    """Return each pixel's place ``(B, H, W)``, from the lowest value; chance orders equal ones."""
    shuffled = chance.flatten(1).argsort(dim=1)
    places = values.flatten(1).gather(1, shuffled).argsort(dim=1, stable=True)
    order = shuffled.gather(1, places)
    ranks = torch.empty_like(order)
    ranks.scatter_(1, order, torch.arange(order.shape[1], device=order.device).expand_as(order))
    return ranks.view_as(values)
