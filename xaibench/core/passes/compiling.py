"""``torch.compile`` for long work, where there is a compiler, and what users have compiled."""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from xaibench.core.passes.batching import let_through
from xaibench.core.passes.inside_torch import frozen_weights, is_compiling_loaded

_log = logging.getLogger(__name__)


def eagerly() -> AbstractContextManager[object]:
    """Run what users have compiled as if it were not: compiled code runs no hooks of its parts."""
    if not is_compiling_loaded():
        return nullcontext()
    stance: AbstractContextManager[object] = torch.compiler.set_stance("force_eager")
    return stance


def compile_network(network: nn.Module, images: Tensor) -> Callable[[Tensor], Tensor]:
    """Return the network compiled for batches of exactly this form, its weights frozen into it.

    Compiling takes about half a minute. Without a C++ compiler, or where the network can't be
    compiled, the network itself comes back and the reason is logged.
    """
    with frozen_weights(), torch.no_grad():
        compiled: Callable[[Tensor], Tensor] = torch.compile(network, dynamic=False)
        try:
            compiled(images)
        except Exception as error:  # each stage of the compiler has errors of its own
            let_through(error)
            reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
            _log.warning("not compiled, passes run as they are: %s", reason)
            return network
    return compiled
