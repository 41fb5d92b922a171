"""DeepLIFT: differences from a baseline, passed back through every nonlinearity."""

from collections.abc import Callable

import torch
from torch import Tensor

from xaibench.core.attribution import Part, fold_channels
from xaibench.core.baselines import Baseline, baseline_of
from xaibench.core.passes.rules import rescale
from xaibench.core.registry import method


@method(paper="shrikumar2017deeplift", family="gradient", sign="none")
def deeplift(
    images: Tensor,
    differentiate: Callable[[Tensor], Tensor],
    *,
    baseline: Baseline = "black",
    part: Part = "absolute",
) -> Tensor:
    """Return |sum_c (x - x') * m|, m the multipliers of the rescale rule, shape (B, H, W).

    Options:
        baseline: x'.
        part: the part of the signed sum that is kept.
    """
    start = baseline_of(images, baseline)
    pairs = torch.stack([images, start], dim=1).flatten(0, 1)
    with rescale():
        multipliers = differentiate(pairs)[0::2]
    return fold_channels((images - start) * multipliers, part)
