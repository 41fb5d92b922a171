"""Private parts of torch, which may move or go with any release: all that we use of them is here.

Where one is missing, what can do without it does, and the rest is refused in a sentence.
"""

import sys
from collections.abc import Mapping, MutableMapping
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import module as torch_module

from xaibench.core.errors import XaibenchError

_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
_GLOBAL_HOOKS = ("_global_forward_hooks", "_global_forward_pre_hooks", "_global_backward_hooks")


def _find(place: str, name: str) -> Any:
    try:
        return getattr(import_module(place), name)
    except (ImportError, AttributeError):
        return None


class _Missing:
    def __init__(self) -> None:
        raise XaibenchError(
            f"torch {torch.__version__} doesn't let anybody watch its operations as earlier "
            "releases did; choose another method, or an earlier torch."
        )


DispatchMode: Any = _find("torch.utils._python_dispatch", "TorchDispatchMode") or _Missing
"""Sees each operation below autograd."""


def writes_in_place(operation: Any) -> bool:
    """Whether an overload of an operation of torch changes one of its arguments."""
    schema: Any = getattr(operation, "_schema", None)
    if hasattr(schema, "is_mutable"):
        return bool(schema.is_mutable)
    name, _, overload = str(operation).rpartition(".")
    return name.endswith("_") or overload == "out" or overload.endswith("_out")


def is_functional(value: Tensor) -> bool:
    """Whether a value stands for another and has no memory of its own."""
    ask = getattr(torch, "_is_functional_tensor", None)
    return bool(ask(value)) if ask else False


def is_compiling_loaded() -> bool:
    """Whether anything can have been compiled: importing the compiler takes seconds."""
    return "torch._dynamo" in sys.modules


def frozen_weights() -> AbstractContextManager[object]:
    """Let the compiler take weights for constants, where it can: that saves time alone."""
    patch = _find("torch._inductor.config", "patch")
    frozen: AbstractContextManager[object] = patch(freezing=True) if patch else nullcontext()
    return frozen


def children_of(module: nn.Module) -> Mapping[str, nn.Module | None]:
    """Return a module's own parts by name, those under two names twice."""
    return getattr(module, "_modules", None) or dict(module.named_children())


def count_hooks(part: nn.Module | Tensor) -> int:
    """Return how many hooks are on a module or a parameter, as far as torch shows them."""
    return sum(len(getattr(part, kind, None) or ()) for kind in _HOOKS)


def global_hooks() -> dict[str, MutableMapping[int, Any]]:
    """Return the hooks that are on all modules, by kind; what is removed there is gone."""
    return {
        f"torch's {kind.removeprefix('_').replace('_', ' ')}": getattr(torch_module, kind, {})
        for kind in _GLOBAL_HOOKS
    }
