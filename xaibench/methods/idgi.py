"""IDGI: each step's change of the logit, shared out by squared gradients."""

from collections.abc import Callable

import torch
from torch import Tensor

from xaibench.core.attribution import Polarity, fold_channels
from xaibench.core.baselines import Baseline, baseline_of
from xaibench.core.errors import XaibenchError
from xaibench.core.registry import method


@method(paper="yang2023idgi", family="gradient", sign="none")
def idgi(
    images: Tensor,
    differentiate: Callable[[Tensor], Tensor],
    target_logits: Callable[[Tensor], Tensor],
    promise: Callable[[Tensor, Tensor], None],
    *,
    steps: int = 50,
    baseline: Baseline = "black",
    part: Polarity = "absolute",
) -> Tensor:
    """Return |sum_c sum_j (y_{j+1} - y_j) * g_j^2 / sum(g_j^2)|, shape (B, H, W).

    g_j is the gradient at the j-th point of the straight way from the baseline to the image. Where
    it is zero the step's change belongs to nobody.

    Options:
        steps: on the way.
        baseline: where it starts.
        part: the part of the signed sum that is kept.
    """
    if steps < 1:
        raise XaibenchError(f"idgi[steps={steps}]: at least 1.")
    start = baseline_of(images, baseline)
    way = images - start
    total, before = torch.zeros_like(images), target_logits(start)
    first = before
    for step in range(steps):
        squares = differentiate(start + step / steps * way).square()
        after = target_logits(start + (step + 1) / steps * way)
        whole = squares.sum(dim=(1, 2, 3), keepdim=True)
        shares = torch.where(whole > 0, squares / whole, 0.0)
        total += shares * (after - before)[:, None, None, None]
        before = after
    promise(total, before - first)
    return fold_channels(total, part)
