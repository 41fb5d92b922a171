"""Average Drop: how much confidence is lost when part of the image is covered."""

from collections.abc import Callable

from torch import Tensor

from xaibench.core.baselines import Baseline
from xaibench.core.covering import By, Covered
from xaibench.core.registry import metric


@metric(
    higher_is_better=False,
    paper="chattopadhay2018gradcampp",
    family="faithfulness",
    target="predicted",
    turned_by={"covered": "important"},
    threshold="by=zero: half of each map's maximum, fixed",
    ties="by=zero: pixels at the threshold count as important",
    title="Average Drop",
)
def drop_in_confidence(
    confidence: Tensor,
    covered_confidence: Callable[..., Tensor],
    *,
    covered: Covered = "unimportant",
    by: By = "darken",
    baseline: Baseline = "black",
) -> Tensor:
    """Return max(0, p(x) - p(covered x)) / p(x), shape (B,); its mean is the "average drop".

    p is the softmax confidence of the target. The unimportant part is covered (x * h), so that
    lower is better; with ``covered=important`` (x * (1 - h)) higher is. In [0, 1]; NaN where there
    is no confidence to lose.

    Options:
        covered: the part that is covered.
        by: darken by the map itself, or cover what lies below half of its maximum.
        baseline: what replaces the covered part.

    >>> from torch import tensor
    >>> drop_in_confidence(tensor([0.8, 0.5]), lambda *way: tensor([0.6, 0.9]))
    tensor([0.2500, 0.0000])
    """
    left = covered_confidence(covered, by, baseline)
    return (confidence - left).clamp(min=0) / confidence
