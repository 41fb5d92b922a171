"""Symmetric Relevance Gain: the area between the perturbation curves (ABPC)."""

from torch import Tensor

from xaibench.core.baselines import Baseline, baseline_of
from xaibench.core.confidence import Predict
from xaibench.core.registry import metric
from xaibench.core.removal import area_of_exchange


@metric(
    higher_is_better=True,
    paper="bluecher2024decoupling",
    family="faithfulness",
    bounds=(-1.0, 1.0),
    target="predicted",
    ties="the pixel that is read first goes first, whichever end removal begins at",
    title="SRG",
)
def srg(
    maps: Tensor,
    images: Tensor,
    targets: Tensor,
    predict: Predict,
    *,
    steps: int = 25,
    baseline: Baseline = "black",
) -> Tensor:
    """Return the area under p while the least relevant pixels go, less that of the most, (B,).

    p is the softmax confidence of the target, over the fraction of pixels that became the
    baseline's; the areas are those of `deletion`. What removed pixels do to the network by being
    odd counts in both curves, and hardly in their difference. In [-1, 1]; higher is better; 0 for a
    constant map.

    Options:
        steps: of each curve; each costs one pass.
        baseline: what a removed pixel becomes.

    >>> from torch import ones, stack, tensor, zeros
    >>> def predict(images):  # confident by what is left of the upper left pixel
    ...     return stack([images[:, 0, 0, 0], 1 - images[:, 0, 0, 0]], dim=1)
    >>> maps = tensor([[[0.9, 0.1], [0.2, 0.3]]])
    >>> srg(maps, ones(1, 1, 2, 2), zeros(1).long(), predict, steps=4)  # 0.875 - 0.125
    tensor([0.7500])
    """
    bare = baseline_of(images, baseline)
    least, most = (
        area_of_exchange(images, bare, way * maps, targets, predict, steps=steps) for way in (-1, 1)
    )
    return least - most
