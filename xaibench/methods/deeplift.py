"""DeepLIFT: differences from a baseline, passed back through every nonlinearity."""

from collections.abc import Callable

from torch import Tensor

from xaibench.core.attribution import Polarity, fold_channels
from xaibench.core.baselines import Baseline, baseline_of
from xaibench.core.registry import method


@method(paper="shrikumar2017deeplift", family="gradient", sign="none")
def deeplift(
    images: Tensor,
    multipliers: Callable[[Tensor], tuple[Tensor, Tensor]],
    promise: Callable[[Tensor, Tensor], None],
    *,
    baseline: Baseline = "black",
    part: Polarity = "absolute",
) -> Tensor:
    """Return |sum_c (x - x') * m|, m the multipliers of the rescale rule, shape (B, H, W).

    Options:
        baseline: x'.
        part: the part of the signed sum that is kept.
    """
    start = baseline_of(images, baseline)
    found, change = multipliers(start)
    attributions = (images - start) * found
    promise(attributions, change)
    return fold_channels(attributions, part)
