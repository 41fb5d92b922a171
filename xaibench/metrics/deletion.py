"""How fast the confidence falls while the most relevant pixels are taken away."""

from torch import Tensor

from xaibench.core.baselines import Baseline, baseline_of
from xaibench.core.confidence import Predict
from xaibench.core.registry import metric
from xaibench.core.removal import area_of_exchange
from xaibench.core.rise_baselines import Space, normalized_zero


@metric(
    title="Deletion",
    higher_is_better=False,
    paper="petsiuk2018rise",
    family="faithfulness",
    target="predicted",
    ties="the pixel that is read first (left to right, top to bottom) goes first",
)
def deletion(
    maps: Tensor,
    images: Tensor,
    targets: Tensor,
    predict: Predict,
    *,
    steps: int = 50,
    baseline: Baseline = "black",
    space: Space = "pixel",
) -> Tensor:
    """Return the area under p against the fraction of pixels removed, shape (B,).

    p is the softmax confidence of the target. Pixels go from the map's highest value down and
    become the baseline's; at step k exactly round(k / steps * H * W) are gone. Trapezoids, from the
    whole image to the bare baseline. In [0, 1]; lower is better.

    Options:
        steps: each costs one pass, and so does the whole image.
        baseline: what a removed pixel becomes.
        space: ``normalized`` is what RISE's own code does, whatever ``baseline`` says: removed
            pixels are ImageNet's mean color, zero once normalized. It takes 224 steps at 224
            pixels.

    >>> from torch import ones, stack, tensor, zeros
    >>> def predict(images):  # confident by what is left of the upper left pixel
    ...     return stack([images[:, 0, 0, 0], 1 - images[:, 0, 0, 0]], dim=1)
    >>> maps = tensor([[[0.9, 0.1], [0.2, 0.3]], [[0.1, 0.9], [0.3, 0.2]]])
    >>> deletion(maps, ones(2, 1, 2, 2), zeros(2).long(), predict, steps=4)  # goes first, last
    tensor([0.1250, 0.8750])
    """
    normalized = space == "normalized"
    bare = normalized_zero(images) if normalized else baseline_of(images, baseline)
    return area_of_exchange(images, bare, maps, targets, predict, steps=steps)
