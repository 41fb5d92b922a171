"""Increase in Confidence: how often covering part of the image makes the model more confident."""

from collections.abc import Callable

from torch import Tensor

from xaibench.core.baselines import Baseline
from xaibench.core.covering import By, Covered
from xaibench.core.registry import metric


@metric(
    higher_is_better=True,
    paper="chattopadhay2018gradcampp",
    family="faithfulness",
    target="predicted",
    turned_by={"covered": "important"},
    threshold="by=zero: half of each map's maximum, fixed",
    ties="by=zero: pixels at the threshold count as important",
    title="Increase in Confidence",
)
def increase_in_confidence(
    confidence: Tensor,
    covered_confidence: Callable[..., Tensor],
    *,
    covered: Covered = "unimportant",
    by: By = "darken",
    baseline: Baseline = "black",
) -> Tensor:
    """Return 1 where p(covered x) > p(x), else 0, shape (B,).

    p is the softmax confidence of the target. The unimportant part is covered (x * h), so that
    higher is better; with ``covered=important`` (x * (1 - h)) it is a control, and lower is.

    Options:
        covered: the part that is covered.
        by: darken by the map itself, or cover what lies below half of its maximum.
        baseline: what replaces the covered part.

    >>> from torch import tensor
    >>> increase_in_confidence(tensor([0.8, 0.5]), lambda *way: tensor([0.6, 0.9]))
    tensor([0., 1.])
    """
    return (covered_confidence(covered, by, baseline) > confidence).float()
