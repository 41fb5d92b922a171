"""ROAD: what the confidence does when the image is taken away and made up again."""

from typing import Literal

import torch
from torch import Tensor

from xaibench.core.confidence import Predict, confidence_of
from xaibench.core.errors import XaibenchError
from xaibench.core.imputation import impute
from xaibench.core.registry import metric
from xaibench.core.removal import ranks
from xaibench.core.seeds import BatchGenerator

_AT_ONCE = 16  # images, each of which is imputed in several ways


@metric(
    higher_is_better=True,
    paper="rong2022road",
    family="faithfulness",
    bounds=(-1.0, 1.0),
    target="predicted",
    turned_by={"order": "morf"},
    ties="chance decides, the same for all methods",
    baseline="what the neighbors suggest, and noise",
    title="ROAD",
)
def road(
    maps: Tensor,
    images: Tensor,
    targets: Tensor,
    predict: Predict,
    generator: BatchGenerator,
    *,
    order: Literal["difference", "morf", "lerf"] = "difference",
    of: Literal["confidence", "accuracy"] = "confidence",
    fractions: tuple[float, ...] = (0.2, 0.4, 0.6, 0.8),
    noise: float = 0.01,
) -> Tensor:
    """Return the mean confidence, or accuracy, over fractions of removed pixels, shape (B,).

    ``morf`` removes the most relevant pixels first (lower is better), ``lerf`` the least relevant
    ones (higher is better), ``difference`` is (lerf - morf) / 2, in [-1/2, 1/2]. Removed pixels are
    imputed from their neighbors, with noise. Exactly round(fraction * H * W) pixels are removed:
    among equal ones chance decides, the same for all methods.

    Options:
        order: what is removed first.
        of: the target's confidence, or the paper's accuracy: 1 where the target is still the
            likeliest class. A single fraction gives one point of the paper's curve.
        fractions: of the pixels removed; pytorch-grad-cam's percentiles are 0.1 to 0.9 in tenths.
        noise: standard deviation of what is added to imputed pixels.

    >>> from torch import stack, zeros
    >>> def predict(images):  # the pixel in the middle is the confidence
    ...     return stack([images[:, 0, 1, 1], 1 - images[:, 0, 1, 1]], dim=1)
    >>> images = zeros(1, 1, 3, 3)
    >>> images[0, 0, 1, 1] = 1
    >>> way = {"fractions": (1 / 9,), "noise": 0.0}
    >>> road(images[:, 0], images, zeros(1).long(), predict, BatchGenerator([1]), **way)  # (1-0)/2
    tensor([0.5000])
    """
    if not fractions or not all(0 < fraction < 1 for fraction in fractions) or noise < 0:
        raise XaibenchError("road: 'fractions' lie between 0 and 1, 'noise' is not negative.")
    chance = generator.uniform(*maps.shape[1:])
    added = noise * generator.normal(*images.shape[1:])
    ways = {"difference": (1, -1), "morf": (-1,), "lerf": (1,)}[order]
    counts = [round(fraction * maps[0].numel()) for fraction in fractions]
    removed = [place < count for way in ways for place in [ranks(way * maps, chance)]
               for count in counts]  # fmt: skip
    gone = torch.stack(removed, dim=1)
    means = []
    for first in range(0, len(images), _AT_ONCE):
        some = slice(first, first + _AT_ONCE)
        seen = impute(images[some], gone[some]) + added[some, None] * gone[some][:, :, None]
        found = [_look(each, targets[some], predict, of) for each in seen.unbind(dim=1)]
        values = torch.stack(found, dim=1)
        means.append(values.view(len(values), len(ways), -1).mean(dim=2))
    mean = torch.cat(means)
    return (mean[:, 0] - mean[:, 1]) / 2 if order == "difference" else mean[:, 0]


def _look(images: Tensor, targets: Tensor, predict: Predict, of: str) -> Tensor:
    if of == "accuracy":
        return (predict(images).argmax(dim=1) == targets).float()
    return confidence_of(targets, images, predict)
