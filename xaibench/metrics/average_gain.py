"""Average Gain: how much of the confidence that was lacking is won when part is covered."""

import math
from collections.abc import Callable

from torch import Tensor

from xaibench.core.baselines import Baseline
from xaibench.core.covering import By
from xaibench.core.registry import metric


@metric(
    higher_is_better=True,
    paper="zhang2024opticam",
    family="faithfulness",
    target="predicted",
    threshold="by=zero: half of each map's maximum, fixed",
    ties="by=zero: pixels at the threshold count as important",
    title="Average Gain",
)
def average_gain(
    confidence: Tensor,
    covered_confidence: Callable[..., Tensor],
    *,
    by: By = "darken",
    baseline: Baseline = "black",
) -> Tensor:
    """Return max(0, p(covered x) - p(x)) / (1 - p(x)), shape (B,).

    p is the softmax confidence of the target; the unimportant part is covered (x * h). The
    counterpart of `drop_in_confidence`, which stays 0 wherever this is above. In [0, 1]; higher is
    better; NaN where the confidence is 1 and nothing can be won.

    Options:
        by: darken by the map itself, or cover what lies below half of its maximum.
        baseline: what replaces the covered part.

    >>> from torch import tensor
    >>> average_gain(tensor([0.8, 0.5]), lambda *way: tensor([0.6, 0.9]))
    tensor([0.0000, 0.8000])
    """
    left = covered_confidence("unimportant", by, baseline)
    gain = (left - confidence).clamp(min=0) / (1 - confidence)
    return gain.clamp(max=1).where(confidence < 1, math.nan)
