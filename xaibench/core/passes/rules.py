"""Backward rules: another derivative for nonlinearities, however the network calls them.

A rule stands in for the functions themselves, not for modules, so that functional calls and modules
that are used twice (torchvision's ResNet50) follow it, too, and the network is never touched.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from xaibench.core.errors import XaibenchError

_RELUS = {
    functional.relu,
    functional.relu_,
    torch.relu,
    torch.relu_,
    Tensor.relu,
    Tensor.relu_,
}
# The activation functions that act on single values.
_ELEMENTWISE = _RELUS | {
    functional.relu6,
    functional.hardtanh,
    functional.leaky_relu,
    functional.elu,
    functional.celu,
    functional.selu,
    functional.gelu,
    functional.silu,
    functional.mish,
    functional.softplus,
    functional.hardswish,
    functional.hardsigmoid,
    functional.sigmoid,
    torch.sigmoid,
    Tensor.sigmoid,
    functional.tanh,
    torch.tanh,
    Tensor.tanh,
    functional.prelu,
    functional.softsign,
    functional.logsigmoid,
    functional.leaky_relu_,
    functional.elu_,
    functional.celu_,
    functional.selu_,
    functional.hardtanh_,
    torch.sigmoid_,
    Tensor.sigmoid_,
    torch.tanh_,
    Tensor.tanh_,
}
_MAX_POOLS = {functional.max_pool2d, torch.max_pool2d}
# Below this difference of the inputs the quotient is rounding, and the derivative is taken.
_NEARLY_EQUAL = 1e-10


class _Rule(TorchFunctionMode):
    """While it is entered, some functions of torch follow another rule."""

    rules: tuple[tuple[frozenset[Any], Callable[..., Tensor]], ...] = ()

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        options = {key: value for key, value in (kwargs or {}).items() if key != "inplace"}
        for functions, rule in self.rules:
            if func in functions:
                if not (kwargs or {}).get("inplace") and not func.__name__.endswith("_"):
                    return rule(func, *args, **options)
                # The network may go on with what it wrote into and drop what came back.
                return args[0].copy_(rule(func, args[0].clone(), *args[1:], **options))
        return func(*args, **(kwargs or {}))


def _plainly(func: Any, values: Tensor, *args: Any, **options: Any) -> Tensor:
    """Call the function on a copy, as some write into their input."""
    with torch._C.DisableTorchFunction():
        result: Tensor = func(values.clone(), *args, **options)
    return result


class _GuidedReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        ctx.save_for_backward(values > 0)
        clamped: Tensor = values.clamp(min=0)
        return clamped

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (passed,) = ctx.saved_tensors
        guided_gradient: Tensor = gradients[0].clamp(min=0) * passed
        return guided_gradient


class guided(_Rule):  # noqa: N801 (used as a context, like torch.no_grad)
    """Guided backpropagation: a ReLU passes on only positive gradients (Springenberg 2015)."""

    rules = ((frozenset(_RELUS), lambda _, values: _GuidedReLU.apply(values)),)


class _Rescale(torch.autograd.Function):
    """DeepLift's rescale rule: the difference of outputs by the difference of inputs."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, func: Callable[[Tensor], Tensor]) -> Tensor:
        ctx.func = func
        ctx.save_for_backward(values)
        return func(values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (values,) = ctx.saved_tensors
        with torch.enable_grad():
            leaf = values.detach().requires_grad_()
            outputs = ctx.func(leaf)
            (derivative,) = torch.autograd.grad(outputs, leaf, gradients[0])
        change, response = _by_pair(values), _by_pair(outputs.detach())
        quotient = gradients[0] * response / change
        return torch.where(change.abs() < _NEARLY_EQUAL, derivative, quotient), None


class _RescaleMaxPool(torch.autograd.Function):
    """The rule for max pooling: each side's way to the larger of both maxima counts."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, pool: Callable[[Tensor], Tensor]) -> Tensor:
        ctx.pool = pool
        ctx.save_for_backward(values)
        return pool(values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (values,) = ctx.saved_tensors
        with torch.enable_grad():
            leaf = values.detach().requires_grad_()
            outputs = ctx.pool(leaf)
        highest, reference = outputs[0::2].detach(), outputs[1::2].detach()
        above = highest.maximum(reference)
        weights = torch.empty_like(outputs)
        weights[0::2], weights[1::2] = above - reference, highest - above
        (spread,) = torch.autograd.grad(outputs, leaf, gradients[0] * weights, retain_graph=True)
        (derivative,) = torch.autograd.grad(outputs, leaf, gradients[0])
        both = (spread[0::2] + spread[1::2]).repeat_interleave(2, dim=0)
        change = _by_pair(values)
        return torch.where(change.abs() < _NEARLY_EQUAL, derivative, both / change), None


def _by_pair(values: Tensor) -> Tensor:
    """Return the difference image - baseline, for both of each pair."""
    return (values[0::2] - values[1::2]).repeat_interleave(2, dim=0)


def _rescale(func: Any, values: Tensor, *args: Any, **options: Any) -> Tensor:
    if len(values) % 2:
        raise XaibenchError(
            "DeepLIFT compares each image with a baseline behind it in the batch, which this "
            "network rearranges or memory has no room for; use integrated_gradients."
        )
    result: Tensor = _Rescale.apply(values, lambda v: _plainly(func, v, *args, **options))
    return result


def _rescale_max_pool(func: Any, values: Tensor, *args: Any, **options: Any) -> Tensor:
    result: Tensor = _RescaleMaxPool.apply(values, lambda v: _plainly(func, v, *args, **options))
    return result


class rescale(_Rule):  # noqa: N801
    """DeepLift's rescale rule (Shrikumar 2017), on batches of pairs: image, baseline, image, ..."""

    rules = (
        (frozenset(_ELEMENTWISE), _rescale),
        (frozenset(_MAX_POOLS), _rescale_max_pool),
    )
