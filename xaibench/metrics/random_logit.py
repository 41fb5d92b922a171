"""Random Logit: how much the map of another class resembles that of the explained one."""

import math
from collections.abc import Callable

import torch
from skimage.metrics import structural_similarity
from torch import Tensor

from xaibench.core.confidence import Predict
from xaibench.core.registry import metric
from xaibench.core.seeds import BatchGenerator

_WINDOW = 7


@metric(
    higher_is_better=False,
    paper="sixt2020when",
    family="faithfulness",
    bounds=(-1.0, 1.0),
    target="predicted",
    ties="of no account",
    baseline="none: the image stays, the class explained changes",
    title="Random Logit",
)
def random_logit(
    maps: Tensor,
    images: Tensor,
    targets: Tensor,
    predict: Predict,
    explain: Callable[..., Tensor],
    generator: BatchGenerator,
) -> Tensor:
    """Return the structural similarity of the map with that of a random other class, shape (B,).

    Windows of 7 x 7 pixels, maps in [0, 1]. 1 for a map that doesn't depend on the class, which
    can't explain a decision between classes; of two classes gradients mirror each other, so that
    methods without a sign reach it, too. In [-1, 1]; lower is better. NaN where there is one class.

    >>> from torch import ones, stack, zeros
    >>> def predict(images):
    ...     return ones(len(images), 2) / 2
    >>> images = torch.rand(1, 1, 8, 9, generator=torch.Generator().manual_seed(1))
    >>> case = images[:, 0], images, zeros(1).long(), predict
    >>> random_logit(*case, lambda x, other: x[:, 0], BatchGenerator([1]))
    tensor([1.])
    """
    classes = predict(images[:1]).shape[1]
    if classes < 2:  # noqa: PLR2004
        return torch.full_like(maps[:, 0, 0], math.nan)
    step = 1 + (generator.uniform() * (classes - 1)).long().clamp(max=classes - 2)
    others = explain(images, (targets + step) % classes)
    window = min(_WINDOW, (min(maps.shape[1:]) - 1) // 2 * 2 + 1)
    found = [
        structural_similarity(ours, theirs, data_range=1.0, win_size=window)
        for ours, theirs in zip(maps.cpu().numpy(), others.cpu().numpy(), strict=True)
    ]
    return torch.tensor(found).to(maps)
