"""ADCC: average drop, coherency and complexity in one number."""

from collections.abc import Callable

from torch import Tensor

from xaibench.core.confidence import Predict, confidence_of
from xaibench.core.registry import metric


@metric(
    higher_is_better=True,
    paper="poppi2021revisiting",
    family="faithfulness",
    target="predicted",
    ties="of no account",
    baseline="black, where the map covers the image",
    title="ADCC",
)
def adcc(
    maps: Tensor,
    images: Tensor,
    targets: Tensor,
    confidence: Tensor,
    predict: Predict,
    explain: Callable[[Tensor], Tensor],
) -> Tensor:
    """Return the harmonic mean of coherency, 1 - complexity and 1 - drop, shape (B,).

    The image is multiplied by the map. Coherency is (r + 1) / 2, r Pearson's correlation of the map
    with the same method's map of that; complexity is the map's mean; drop is what the confidence
    loses, max(0, p(x) - p(x * map)) / p(x). In [0, 1]; 0 where any of the three is, and for a
    constant map, which nothing correlates with. NaN where there is no confidence to lose.

    >>> from torch import full, stack, tensor, zeros
    >>> def predict(images):  # the left pixel is the confidence
    ...     return stack([images[:, 0, 0, 0], 1 - images[:, 0, 0, 0]], dim=1)
    >>> images, maps = full((1, 1, 1, 2), 0.5), tensor([[[1.0, 0.0]]])
    >>> confidence, targets = tensor([0.5]), zeros(1).long()
    >>> adcc(maps, images, targets, confidence, predict, lambda x: x[:, 0])  # 3 / (1 + 2 + 1)
    tensor([0.7500])
    """
    kept = images * maps[:, None]
    drop = 1 - confidence_of(targets, kept, predict) / confidence
    parts = (
        (_correlation(maps, explain(kept)) + 1) / 2,
        1 - maps.mean(dim=(1, 2)),
        1 - drop.clamp(min=0),
    )
    first, second, third = (part.clamp(min=0).double() for part in parts)
    below = first * second + second * third + third * first
    return (3 * first * second * third / below).where(below != 0, 0.0).to(maps.dtype)


def _correlation(ours: Tensor, theirs: Tensor) -> Tensor:
    """Return Pearson's correlation of each pair of maps, ``(B,)``; -1 where one is constant."""
    centered = [each.double().flatten(1) for each in (ours, theirs)]
    mine, its = (each - each.mean(dim=1, keepdim=True) for each in centered)
    size = mine.norm(dim=1) * its.norm(dim=1)
    varied = [each.amax(dim=1) > each.amin(dim=1) for each in centered]
    found: Tensor = (mine * its).sum(dim=1) / size
    return found.where(varied[0] & varied[1], -1.0).clamp(-1, 1)
