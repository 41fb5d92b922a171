"""Attention as a network computes it: each layer's weights, opened where torch fuses them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

_SOFTMAX = frozenset({torch.softmax, functional.softmax, Tensor.softmax})
_LEAST_AXES, _MOST_AXES = 3, 4


class OpenAttention(TorchFunctionMode):
    """Within its block attention runs step by step, and its weights are kept, in their order.

    It knows torch's fused attention, on which timm's, torchvision's and Hugging Face's rest, and
    softmax. Nothing of the network is changed, and nothing lasts beyond the block.

    Attributes:
        weights: of each layer ``(B, heads, Q, N)``, or ``(B * heads, Q, N)``: what each of Q tokens
            takes of N.
    """

    def __init__(self, graph: Literal["none", "whole", "own"] = "none") -> None:
        """Start.

        Args:
            graph: what gradients by the weights will see: ``none``; the ``whole`` network behind
                them; or what is behind each layer's ``own``, as if all others were given.
        """
        super().__init__()
        self.weights: list[Tensor] = []
        self._graph, self._stopped = graph, False

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
            return self._attend(*args, **named)
        if func is functional.multi_head_attention_forward:
            return self._run_module(func, args, named)
        out = func(*args, **named)
        if func in _SOFTMAX and _LEAST_AXES <= out.ndim <= _MOST_AXES:
            return self._keep(out)
        return out

    def _run_module(self, func: Callable[..., Any], args: Any, named: dict[str, Any]) -> Any:
        """Run `nn.MultiheadAttention`, whose inside calls no torch functions that can be seen."""
        with in_place_of_fused(self._attend):
            out, _ = func(*args, **{**named, "need_weights": False})
        if not named.get("need_weights", True):
            return out, None
        whole = self.weights[-1]
        return out, whole.mean(dim=1) if named.get("average_attn_weights", True) else whole

    def _attend(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> Tensor:
        """Do what torch's fused function does; its arguments are named as there."""
        if enable_gqa:
            shared = query.shape[-3] // key.shape[-3]
            key, value = (each.repeat_interleave(shared, dim=-3) for each in (key, value))
        if is_causal:
            attn_mask = query.new_ones(query.shape[-2], key.shape[-2], dtype=torch.bool).tril()
        weights = self._keep(attention_weights(query, key, attn_mask, scale))
        return functional.dropout(weights, dropout_p) @ value

    def stop(self) -> None:
        """Keep no more weights."""
        self._stopped = True

    def _keep(self, weights: Tensor) -> Tensor:
        if self._stopped:
            return weights
        if self._graph == "own" or (self._graph == "whole" and not self.weights):
            # Gradients are asked for by nothing before: until here no graph is needed.
            weights = weights.detach().requires_grad_()
            torch.set_grad_enabled(True)
        self.weights.append(weights)
        return weights


def attention_weights(
    query: Tensor, key: Tensor, mask: Tensor | None = None, scale: float | None = None
) -> Tensor:
    """Return the softmax over keys of scaled products ``(..., Q, N)``, as torch's fused function.

    Args:
        query: ``(..., Q, D)``.
        key: ``(..., N, D)``.
        mask: of truth values, which keys count, or of numbers that are added.
        scale: of the products; 1 / sqrt(D) if there is none.
    """
    scores = (query * (query.shape[-1] ** -0.5 if scale is None else scale)) @ key.mT
    if mask is not None:
        masked = mask.dtype == torch.bool
        scores = scores.masked_fill(~mask, -torch.inf) if masked else scores + mask
    return scores.softmax(dim=-1)


@contextmanager
def in_place_of_fused(attend: Callable[..., Tensor]) -> Iterator[None]:
    """Let torch's own modules call another function for their attention."""
    fused = functional.scaled_dot_product_attention
    functional.scaled_dot_product_attention = attend
    try:
        yield
    finally:
        functional.scaled_dot_product_attention = fused
