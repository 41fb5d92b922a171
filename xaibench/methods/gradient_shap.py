"""GradientSHAP: expected gradients between noisy copies of the image and a baseline."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from xaibench.core.attribution import Polarity, fold_channels
from xaibench.core.baselines import Baseline, baseline_of
from xaibench.core.errors import XaibenchError
from xaibench.core.registry import method
from xaibench.core.seeds import BatchGenerator


@method(paper="lundberg2017shap", family="gradient", sign="none")
def gradient_shap(
    images: Tensor,
    generator: BatchGenerator,
    integrate: Callable[..., Tensor],
    *,
    samples: int = 50,
    noise: float = 0.1,
    baseline: Baseline = "black",
    part: Polarity = "absolute",
) -> Tensor:
    """Return |sum_c mean of (x~ - x') * dy/dx at a random point between x' and x~|, (B, H, W).

    x~ is the image with noise.

    Options:
        samples: random points.
        noise: standard deviation as a share of the image's range.
        baseline: x'.
        part: the part of the signed sum that is kept.
    """
    if samples < 1 or noise < 0:
        raise XaibenchError("gradient_shap: 'samples' from 1, 'noise' from 0.")
    start = baseline_of(images, baseline)
    places = generator.uniform(samples, 1, 1, 1)

    def between(row: int, first: int, last: int) -> tuple[Tensor, Tensor]:
        image = images[row]
        drawn = generator.normal_copies(row, first, last, *image.shape)
        way = image + noise * (image.max() - image.min()) * drawn - start[row]
        return start[row] + places[row, first:last] * way, way / samples

    rows = range(len(images))
    sums = torch.stack([integrate(row, partial(between, row), samples) for row in rows])
    return fold_channels(sums, part)
