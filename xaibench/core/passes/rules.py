"""Guided backpropagation's rule, placed on the graph that a pass left behind.

What the network calls a ReLU doesn't matter, nor how often or in which module: autograd knows it as
one of few functions. What autograd can't look into, or what may be a ReLU in disguise, is refused
by its name.
"""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import Node

from xaibench.core.errors import Unsupported

# They are ReLUs where the field named is zero.
_RECTIFIERS = {
    "ThresholdBackward": "_saved_threshold",
    "ClampMinBackward": "_saved_min",
    "LeakyReluBackward": "_saved_negative_slope",
    "EluBackward": "_saved_alpha",
}
# Where it isn't, their kink lies elsewhere: no activation of its own.
_SHIFTED = frozenset({"ThresholdBackward", "ClampMinBackward"})
# Between two bounds; the fields' names.
_CLIPS = {
    "ClampBackward": ("_saved_min", "_saved_max"),
    "HardtanhBackward": ("_saved_min_val", "_saved_max_val"),
}
# Of these and a sum a ReLU can be made; the last writes into a part of a value.
_KINKS = frozenset({
    "AbsBackward", "MinimumBackward", "ClampMaxBackward", "FmaxBackward", "FminBackward",
    "IndexPutBackward", "torch::autograd::CopySlices",
})  # fmt: skip
# They choose places by a condition, the field named.
_CHOICES = {"WhereBackward": "_saved_condition", "MaskedFillBackward": "_saved_mask"}
_EXTREMES = frozenset({"AmaxBackward", "AminBackward", "MaxBackward", "MinBackward"})
_PRODUCTS, _OPERANDS = frozenset({"MulBackward", "DivBackward"}), ("_saved_self", "_saved_other")


def guide(chosen: Tensor) -> None:
    """Let every ReLU behind a scalar pass on only positive gradients (Springenberg 2015).

    Other activation functions keep their derivatives. A clip to [0, b], as ReLU6, counts as a ReLU
    unless it scales something else, as in a hard swish.

    Args:
        chosen: the sum of the explained logits, with its graph; gradients through it are guided.

    Raises:
        Unsupported: there is no ReLU, or a part of the graph may hold one that can't be seen.
    """
    found = False
    for node, scales in _nodes(chosen):
        if _rectifies(node, scales=scales):
            found = True
            node.register_hook(_only_positive)
    if not found:
        raise Unsupported(
            "guided backpropagation changes how ReLUs are differentiated, and the network has "
            "none, so that it would be the plain gradient; use gradient."
        )


def _nodes(chosen: Tensor) -> Iterator[tuple[Node, bool]]:
    """Yield every node of a graph, and whether what it gives scales something else."""
    if chosen.grad_fn is None:
        raise Unsupported("the network can't be differentiated, so that nothing can be guided.")
    known: dict[Node, bool] = {}
    waiting: list[tuple[Node, bool]] = [(chosen.grad_fn, False)]
    while waiting:
        node, scales = waiting.pop()
        if node in known:
            known[node] |= scales
            continue
        known[node] = scales
        kind = _kind(node)
        scaling = kind in _PRODUCTS or (kind == "ExpandBackward" and scales)
        waiting += [(before, scaling) for before, _ in node.next_functions if before is not None]
    yield from known.items()


def _rectifies(node: Node, *, scales: bool) -> bool:
    kind = _kind(node)
    if kind == "ReluBackward":
        return True
    if kind in _RECTIFIERS:
        bound = _bound(getattr(node, _RECTIFIERS[kind]))
        if bound != 0 and kind in _SHIFTED and not scales:  # norms are kept from zero like this
            _refuse(node)
        return bound == 0
    if kind in _CLIPS:
        low, high = (_bound(getattr(node, field)) for field in _CLIPS[kind])
        if low is None or (high is None and low != 0):
            _refuse(node)
        return low == 0 and not (scales and high is not None)
    if kind == "MaximumBackward":
        fixed = [
            _bound(getattr(node, field))
            for field, (before, _) in zip(_OPERANDS, node.next_functions, strict=True)
            if before is None
        ]
        if fixed != [0]:
            _refuse(node)
        return True
    hidden = (
        kind in _KINKS
        or isinstance(node, torch.autograd.function.BackwardCFunction)
        or "Graph" in kind
        or (kind in _CHOICES and _by_value(getattr(node, _CHOICES[kind])))
        or (kind in _EXTREMES and _picks_from_a_constant(node))
        or (kind == "MulBackward" and any(_is_mask(getattr(node, each)) for each in _OPERANDS))
    )
    if hidden:
        _refuse(node)
    return False


def _kind(node: Node) -> str:
    return node.name().rstrip("0123456789")


def _bound(value: Any) -> float | None:
    """Return a bound as a number, also where it is one in each of a tensor's places."""
    if isinstance(value, Tensor):
        first = value.flatten()[0]
        return float(first) if bool((value == first).all()) else math.nan
    return None if value is None else float(value)


def _by_value(condition: Tensor) -> bool:
    """Whether a condition is more than a pattern of positions, as attention has it."""
    return condition.ndim == 2 or condition.shape[:-2].numel() > 1  # noqa: PLR2004


def _picks_from_a_constant(node: Node) -> bool:
    """Whether it takes the larger of values and of constants beside them."""
    before = node.next_functions[0][0]
    if before is None or _kind(before) not in {"StackBackward", "CatBackward"}:
        return False
    return any(each is None for each, _ in before.next_functions)


def _is_mask(value: Tensor | None) -> bool:
    """Whether what multiplies is made of zeros and ones, as from a comparison."""
    if value is None or value.requires_grad or value.ndim == 0:
        return False
    ones = value == 1
    return bool((ones | (value == 0)).all()) and bool(ones.any()) and not bool(ones.all())


def _only_positive(gradients: Any, _: Any) -> Any:
    return (gradients[0].clamp(min=0), *gradients[1:])


def _refuse(node: Node) -> None:
    raise Unsupported(
        f"guided backpropagation has no rule for '{node.name()}', behind which a ReLU may hide; "
        "write the network's ReLUs as torch.relu, or use gradient."
    )
