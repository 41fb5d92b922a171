"""The logits that each layer of a transformer would give if it were the last one."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from xaibench.core.errors import Unsupported
from xaibench.core.model import Model
from xaibench.core.passes.layer_names import named_layer
from xaibench.core.passes.open_attention import OpenAttention

_TOKENS = 3


@contextmanager
def early_exits(network: Model, opened: OpenAttention) -> Iterator[None]:
    """Let every layer's tokens take the place of the last one's: logits are ``(L * B, K)``.

    A layer passes its tokens on to the next one without their graph, so that a layer's own
    attention is all that its logits' gradients see. What attends behind the last layer is left out.

    Raises:
        Unsupported: the layers can't be told, or give no tokens.
    """
    layers, given = _layers(network), list[Tensor]()

    def leave(layer: nn.Module, _inputs: object, output: Any) -> Any:
        tokens, *others = output if isinstance(output, tuple) else (output,)
        if not isinstance(tokens, Tensor) or tokens.ndim != _TOKENS:
            raise Unsupported(f"its {type(layer).__name__} gives no tokens (B, N, D)")
        given.append(tokens)
        tokens = tokens.detach()
        if layer is layers[-1]:
            opened.stop()
            tokens = torch.cat(given)
        return (tokens, *others) if isinstance(output, tuple) else tokens

    hooks = [layer.register_forward_hook(leave) for layer in layers]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _layers(network: Model) -> list[nn.Module]:
    """Return the layers, which follow each other: the CAM layer is or is in the last of them."""
    names = (network.cam_layer or "").split(".")
    for depth in range(len(names)):
        parent = named_layer(network, ".".join(names[:depth]))
        children = list(parent.children())
        kinds = {type(child) for child in children}
        if isinstance(parent, nn.Sequential | nn.ModuleList) and len(kinds) == 1:
            return children
    raise Unsupported("which of its parts are its layers, one after the other, can't be told")
