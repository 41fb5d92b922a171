"""KernelSHAP: Shapley values of superpixels, by weighted linear regression."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from xaibench.core.baselines import Baseline, baseline_of
from xaibench.core.errors import XaibenchError
from xaibench.core.registry import method
from xaibench.core.seeds import BatchGenerator
from xaibench.core.shapley import draw_coalitions, solve_shapley
from xaibench.core.superpixels import find_superpixels


@method(paper="lundberg2017shap", family="perturbation")
def kernel_shap(
    images: Tensor,
    generator: BatchGenerator,
    respond: Callable[..., Tensor],
    promise: Callable[[Tensor, Tensor], None],
    *,
    segments: int = 50,
    samples: int = 1000,
    baseline: Baseline = "mean",
) -> Tensor:
    """Return the Shapley value of each pixel's superpixel for the logit, shape (B, H, W).

    Coalitions are drawn in complementary pairs by the Shapley kernel; where all of them are fewer
    than ``samples``, all are taken, and the values are exact.

    Options:
        segments: superpixels (SLIC) to aim at.
        samples: coalitions seen.
        baseline: what replaces the superpixels that are left out.
    """
    if segments < 2 or samples < 2:  # noqa: PLR2004 (a game needs two players)
        raise XaibenchError("kernel_shap: 'segments' and 'samples' from 2.")
    fill = baseline_of(images, baseline)
    chances = generator.uniform(samples, 2 * segments + 1).cpu()
    maps = []
    for row, image in enumerate(images):
        labels = find_superpixels(image, segments)
        coalitions, weights = draw_coalitions(int(labels.max()) + 1, samples, chances[row])
        kept = partial(_kept_pixels, coalitions.to(image.device), labels)
        copies = partial(_compose, image, fill[row], kept)
        logits = respond(row, copies, len(coalitions)).cpu()
        values = solve_shapley(coalitions, weights, logits)
        promise(values[None], (logits[-1] - logits[0])[None])
        maps.append(values.to(image)[labels])
    return torch.stack(maps)


def _kept_pixels(coalitions: Tensor, labels: Tensor, first: int, last: int) -> Tensor:
    return coalitions[first:last][:, labels]


def _compose(
    image: Tensor, fill: Tensor, kept: Callable[[int, int], Tensor], first: int, last: int
) -> Tensor:
    return torch.where(kept(first, last)[:, None], image, fill)
