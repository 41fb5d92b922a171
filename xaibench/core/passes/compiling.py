"""``torch.compile`` for long work, where there is a compiler."""

import logging
from collections.abc import Callable

import torch
from torch import Tensor, nn

_log = logging.getLogger(__name__)


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
