"""SIC: the softmax confidence against how much of the image is seen."""

from torch import Tensor

from xaibench.core.confidence import Predict, confidence_of
from xaibench.core.information_curve import information_curve_areas
from xaibench.core.registry import metric


@metric(
    higher_is_better=True,
    paper="kapishnikov2019xrai",
    family="faithfulness",
    target="predicted",
    ties="the pixel that is read first (left to right, top to bottom) comes first",
    baseline="blur: the image under a Gaussian blur, a tenth of its shorter side wide",
    title="SIC",
)
def sic(
    maps: Tensor, images: Tensor, targets: Tensor, confidence: Tensor, predict: Predict
) -> Tensor:
    """Return the area under the confidence over the information that is seen, shape (B,).

    The image is seen blurred, but for the map's highest pixels, from 0.5 % of them to 75 %.
    Information is the size of what is seen when it is compressed without loss (WebP), from the
    blurred image, 0, to the whole one, 1; performance is the softmax confidence of the
    target as a share of that on the whole image, at most 1. The curve never falls. In [0, 1];
    higher is better; NaN where the whole image takes no more bytes than the blurred one.

    >>> from torch import ones, rand, Generator, stack, zeros
    >>> def predict(images):  # confident where the left half is sharp
    ...     sharp = (images[:, 0, :, :4].var(dim=(1, 2)) * 9).clamp(max=0.9)
    ...     return stack([sharp, 1 - sharp], dim=1)
    >>> images = rand(1, 3, 8, 8, generator=Generator().manual_seed(1))
    >>> left = zeros(1, 8, 8)
    >>> left[:, :, :4] = 1
    >>> whole = predict(images)[:, 0]
    >>> both = [sic(each, images, zeros(1).long(), whole, predict) for each in (left, 1 - left)]
    >>> bool(both[0] > both[1])
    True
    """

    def share(seen: Tensor) -> Tensor:
        return (confidence_of(targets, seen, predict) / confidence).clamp(max=1)

    return information_curve_areas(maps, images, share)
