"""How fast the confidence rises while the most relevant pixels are put in."""

from torch import Tensor

from xaibench.core.baselines import Baseline, baseline_of
from xaibench.core.confidence import Predict
from xaibench.core.registry import metric
from xaibench.core.removal import area_of_exchange
from xaibench.core.rise_baselines import Space, normalized_blur


@metric(
    title="Insertion",
    higher_is_better=True,
    paper="petsiuk2018rise",
    family="faithfulness",
    target="predicted",
    ties="the pixel that is read first (left to right, top to bottom) comes first",
)
def insertion(
    maps: Tensor,
    images: Tensor,
    targets: Tensor,
    predict: Predict,
    *,
    steps: int = 50,
    baseline: Baseline = "blur",
    space: Space = "pixel",
) -> Tensor:
    """Return the area under p against the fraction of pixels inserted, shape (B,).

    p is the softmax confidence of the target. Pixels come from the map's highest value down and
    take the baseline's place; at step k exactly round(k / steps * H * W) are there. Trapezoids,
    from the bare baseline to the whole image. In [0, 1]; higher is better.

    Options:
        steps: each costs one pass, and so does the bare baseline.
        baseline: what is there before a pixel is inserted.
        space: ``normalized`` is what RISE's own code does, whatever ``baseline`` says: normalized
            pixels are blurred by a kernel of 11 x 11, sigma 5, with zeros beyond the image. It
            takes 224 steps at 224 pixels.

    >>> from torch import ones, stack, tensor, zeros
    >>> def predict(images):  # confident by what is there of the upper left pixel
    ...     return stack([images[:, 0, 0, 0], 1 - images[:, 0, 0, 0]], dim=1)
    >>> maps = tensor([[[0.9, 0.1], [0.2, 0.3]], [[0.1, 0.9], [0.3, 0.2]]])
    >>> way = {"steps": 4, "baseline": "black"}
    >>> insertion(maps, ones(2, 1, 2, 2), zeros(2).long(), predict, **way)  # comes first, last
    tensor([0.8750, 0.1250])
    """
    bare = normalized_blur(images) if space == "normalized" else baseline_of(images, baseline)
    return area_of_exchange(bare, images, maps, targets, predict, steps=steps)
