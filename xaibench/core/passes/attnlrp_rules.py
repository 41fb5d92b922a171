"""AttnLRP's rules (achtibat2024attnlrp), placed on a pass: image times gradient is relevance then.

A product of two activations gives each half of its relevance; a norm's scale counts as a constant;
an activation function passes relevance on as it is; linear layers share it out as the epsilon rule
does at epsilon = 0, and softmax as its own gradient does.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from xaibench.core.passes.open_attention import attention_weights, in_place_of_fused

_PRODUCTS = frozenset({
    torch.matmul, Tensor.matmul, Tensor.__matmul__, torch.bmm, Tensor.bmm, torch.mul, Tensor.mul,
    Tensor.__mul__, Tensor.__rmul__,
})  # fmt: skip
_ACTIVATIONS = frozenset({
    functional.gelu, functional.silu, functional.relu, torch.relu, Tensor.relu, functional.mish,
    functional.leaky_relu, functional.hardswish, functional.elu,
})  # fmt: skip


class AttnLRP(TorchFunctionMode):
    """Within its block a network's gradients follow the rules; what it computes stays the same."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Any = None,
    ) -> Any:
        """Run one of torch's functions."""
        named = kwargs or {}
        if func is functional.scaled_dot_product_attention:
            return _attend(*args, **named)
        if func is functional.multi_head_attention_forward:
            with in_place_of_fused(_attend):
                return func(*args, **{**named, "need_weights": False})
        if func is functional.layer_norm:
            return _normalize(*args, **named)
        if func in _PRODUCTS and len(args) > 1 and all(map(_is_activation, args[:2])):
            return func(_half(args[0]), _half(args[1]), *args[2:], **named)
        if func in _ACTIVATIONS and _is_activation(args[0]):
            values = args[0].clone()  # as some work in place
            out = func(*args, **named).detach()
            return values * torch.where(values != 0, out / values, 0.0).detach()
        return func(*args, **named)


def _is_activation(value: object) -> bool:
    return isinstance(value, Tensor) and value.requires_grad and not value.is_leaf


def _half(values: Tensor) -> Tensor:
    """Return the same values, with half of their gradient."""
    return (values + values.detach()) / 2


def _normalize(
    values: Tensor,
    normalized_shape: Any,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    axes = tuple(range(-len(tuple(normalized_shape)), 0))
    variance = values.var(dim=axes, keepdim=True, correction=0)
    scaled = (values - values.mean(dim=axes, keepdim=True)) / (variance + eps).sqrt().detach()
    scaled = scaled if weight is None else scaled * weight
    return scaled if bias is None else scaled + bias


def _attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    **_: Any,
) -> Tensor:
    """Do what torch's fused function does, its products halved."""
    del dropout_p, is_causal  # no network of images has them in evaluation
    weights = attention_weights(_half(query), _half(key), attn_mask, scale)
    return _half(weights) @ _half(value)
