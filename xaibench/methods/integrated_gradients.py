"""Integrated gradients: the gradient along the straight way from a baseline to the image."""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor

from xaibench.core.attribution import Polarity, fold_channels
from xaibench.core.baselines import Baseline, baseline_of
from xaibench.core.errors import XaibenchError
from xaibench.core.registry import method


@method(paper="sundararajan2017integrated", family="gradient", sign="none")
def integrated_gradients(
    images: Tensor,
    integrate: Callable[..., Tensor],
    target_logits: Callable[[Tensor], Tensor],
    promise: Callable[[Tensor, Tensor], None],
    *,
    steps: int = 50,
    baseline: Baseline = "black",
    part: Polarity = "absolute",
) -> Tensor:
    """Return |sum_c (x - x') * integral of dy/dx from x' to x|, shape (B, H, W).

    The integral is Gauss and Legendre's sum; what it misses is the error of its steps.

    Options:
        steps: points on the way.
        baseline: where it starts.
        part: the part of the signed sum that is kept.
    """
    if steps < 1:
        raise XaibenchError(f"integrated_gradients[steps={steps}]: at least 1.")
    points, shares = (
        torch.from_numpy(values).to(images)[:, None, None, None] / 2
        for values in np.polynomial.legendre.leggauss(steps)
    )
    start = baseline_of(images, baseline)
    way = images - start

    def along(row: int, first: int, last: int) -> tuple[Tensor, Tensor]:
        return start[row] + (0.5 + points[first:last]) * way[row], shares[first:last]

    rows = range(len(images))
    sums = torch.stack([integrate(row, partial(along, row), steps) for row in rows])
    ends = target_logits(torch.stack([images, start], dim=1).flatten(0, 1))
    promise(way * sums, ends[0::2] - ends[1::2])
    return fold_channels(way * sums, part)
