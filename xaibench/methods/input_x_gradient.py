"""Input x gradient: each pixel's value times the logit's answer to it."""

from torch import Tensor

from xaibench.core.attribution import Polarity, fold_channels
from xaibench.core.registry import method


@method(paper="shrikumar2016inputxgradient", family="gradient", sign="none")
def input_x_gradient(
    images: Tensor, input_gradients: Tensor, *, part: Polarity = "absolute"
) -> Tensor:
    """Return |sum_c x * dy/dx|, shape (B, H, W).

    Options:
        part: the part of the signed sum that is kept.
    """
    return fold_channels(images * input_gradients, part)
