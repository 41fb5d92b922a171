"""What an operation gives beyond its derivative times what it got: its bias at that point."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from xaibench.core.errors import XaibenchError
from xaibench.core.passes.steps import Cotangents, Step

# They give a multiple where they get one: there is no bias, and none need be looked for.
_HOMOGENEOUS = frozenset({
    "aten.relu", "aten.leaky_relu", "aten._prelu_kernel", "aten.abs", "aten.amax", "aten.mean",
    "aten.max_pool2d_with_indices", "aten.sum", "aten.avg_pool2d", "aten._adaptive_avg_pool2d",
    "aten.view", "aten._unsafe_view", "aten.permute", "aten.transpose", "aten.t", "aten.expand",
    "aten.slice", "aten.select", "aten.cat", "aten.stack", "aten.split", "aten.unsqueeze",
    "aten.squeeze", "aten.clone", "aten.mm", "aten.roll", "aten.constant_pad_nd", "aten._to_copy",
    "aten.upsample_nearest2d", "aten.upsample_bilinear2d", "aten.mul", "aten.neg",
})  # fmt: skip
_JOINING = frozenset({"aten.cat", "aten.stack", "aten.add", "aten.sub"})
# Smaller than this share of the largest value a bias is rounding.
_ROUNDING = 1e-5


def bias_and_cotangents(
    step: Step, inputs: Sequence[Tensor], result: Tensor, cotangents: Cotangents
) -> tuple[Tensor | None, Cotangents]:
    """Return a step's bias, and its sources' cotangents from those of its results.

    The bias is ``(D,)`` where it is one for each channel, else like the result; None where there is
    none.

    Raises:
        XaibenchError: torch can't tell.
    """
    if _is_curve(step, inputs, result, cotangents):
        return _along_a_curve(step, inputs[0], result, cotangents)
    return _bias(step, inputs, result), step.pull_back(inputs, cotangents)


def _bias(step: Step, inputs: Sequence[Tensor], result: Tensor) -> Tensor | None:
    if not result.is_floating_point():
        return None
    floats = sum(each.is_floating_point() for each in inputs)
    if floats == 0:  # a condition, made a number
        return result
    if step.name in (_HOMOGENEOUS if floats == 1 else _JOINING):
        return None
    stated = _STATED.get((step.name, *step.places))
    return _found(step, inputs, result) if stated is None else stated(step, result)


def _is_curve(step: Step, inputs: Sequence[Tensor], result: Tensor, cotangents: Cotangents) -> bool:
    """Whether it is a function of single values, which is differentiated once."""
    return (
        step.pointwise
        and len(inputs) == 1
        and step.name not in _HOMOGENEOUS | _JOINING
        and inputs[0].is_floating_point()
        and result.is_floating_point()
        and inputs[0].shape == result.shape
        and all(each is None for each in cotangents[1:])
    )


def _along_a_curve(
    step: Step, values: Tensor, result: Tensor, cotangents: Cotangents
) -> tuple[Tensor | None, Cotangents]:
    first = cotangents[0]
    assert first is not None
    (slope,) = step.pull_back([values], [torch.ones_like(result), *cotangents[1:]])
    assert slope is not None
    return _unless_rounding(result - slope * values, result), [first * slope]


def _added(step: Step, result: Tensor) -> Tensor:
    factor = (-1 if step.name == "aten.sub" else 1) * step.keyword("alpha", 1)
    added: Tensor = torch.as_tensor(step.argument(1)).to(result).broadcast_to(result.shape) * factor
    return added


def _normed(step: Step, result: Tensor) -> Tensor | None:
    if step.argument(5):
        raise XaibenchError(
            "fullgrad needs batch norms with running statistics; use integrated_gradients."
        )
    weight, bias, mean, variance = (step.argument(place) for place in range(1, 5))
    return _shift(weight, bias, mean, variance, step.argument(7)).to(result)


# They say themselves what they add.
_STATED: dict[tuple[object, ...], Callable[[Step, Tensor], Tensor | None]] = {
    ("aten.add", 0): _added,
    ("aten.sub", 0): _added,
    ("aten.addmm", 1): lambda step, _: step.argument(0),
    ("aten.convolution", 0): lambda step, _: step.argument(2),
    ("aten.native_batch_norm", 0): _normed,
    ("aten.mul", 0, 1): lambda _, result: -result,
}


def _shift(
    weight: Tensor | None, bias: Tensor | None, mean: Tensor, variance: Tensor, eps: float
) -> Tensor:
    scale = (variance + eps).rsqrt()
    scale = scale if weight is None else scale * weight
    return (0 if bias is None else bias) - mean * scale


def _found(step: Step, inputs: Sequence[Tensor], result: Tensor) -> Tensor | None:
    floats = [place for place, each in enumerate(inputs) if each.is_floating_point()]

    def again(*values: Tensor) -> Tensor:
        given = dict(zip(floats, values, strict=True))
        first: Tensor = step.again([given.get(at, each) for at, each in enumerate(inputs)])[0]
        return first

    values = tuple(inputs[place].detach() for place in floats)
    try:
        product: Tensor = torch.func.jvp(again, values, values)[1]
    except NotImplementedError as error:
        raise XaibenchError(
            f"fullgrad has no rule for the network's '{step.name}'; use integrated_gradients."
        ) from error
    return _unless_rounding(result - product, result)


def _unless_rounding(bias: Tensor, result: Tensor) -> Tensor | None:
    return bias if bool(_largest(bias) > _ROUNDING * _largest(result)) else None


def _largest(values: Tensor) -> Tensor:
    """Return the largest absolute value, without a copy of them all."""
    return torch.maximum(values.amax(), -values.amin())
