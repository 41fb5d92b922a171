"""``torch.compile`` for long work, where there is a compiler, and what users have compiled."""

import logging
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

_log = logging.getLogger(__name__)


def eagerly() -> AbstractContextManager[object]:
    """Run what users have compiled as if it were not: compiled code runs no hooks of its parts."""
    if "torch._dynamo" not in sys.modules:  # nothing is compiled, and importing it takes seconds
        return nullcontext()
    stance: AbstractContextManager[object] = torch.compiler.set_stance("force_eager")
    return stance


def compile_network(network: nn.Module, images: Tensor) -> Callable[[Tensor], Tensor]:
    """Return the network compiled for batches of exactly this form, its weights frozen into it.

    Compiling takes about half a minute. Without a C++ compiler, or where the network can't be
    compiled, the network itself comes back and the reason is logged.
    """
    import torch._inductor.config as inductor  # noqa: PLC0415 (takes seconds, and few need it)

    with inductor.patch(freezing=True), torch.no_grad():
        compiled: Callable[[Tensor], Tensor] = torch.compile(network, dynamic=False)
        try:
            compiled(images)
        except Exception as error:  # each stage of the compiler has errors of its own
            reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
            _log.warning("not compiled, passes run as they are: %s", reason)
            return network
    return compiled
