"""TF32 on the CPU, emulated: what goes into a product is rounded to 10 binary digits before."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

# What each of torch's products multiplies; the others of its arguments are added, or say how.
_FACTORS = {
    "convolution": (0, 1), "convolution_backward": (0, 1, 2), "conv2d": (0, 1), "linear": (0, 1),
    "mm": (0, 1), "bmm": (0, 1), "matmul": (0, 1), "mv": (0, 1), "dot": (0, 1), "addmm": (1, 2),
    "baddbmm": (1, 2), "addmv": (1, 2),
}  # fmt: skip
_DROPPED_BITS = 13


def rounded(values: Tensor) -> Tensor:
    """Return float32 to the nearest number of 10 binary digits, ties to even."""
    if values.dtype != torch.float32:
        return values
    bits = values.contiguous().view(torch.int32)
    up = (1 << _DROPPED_BITS - 1) - 1 + (bits >> _DROPPED_BITS & 1)
    near = ((bits + up) >> _DROPPED_BITS << _DROPPED_BITS).view(torch.float32)
    return near.view(values.shape)


class _Rounding(TorchDispatchMode):
    """Rounds the factors of products where it is told to, those of the way back included."""

    told = False

    def __torch_dispatch__(
        self, operation: Any, _types: object, args: Any = (), kwargs: Any = None
    ) -> Any:
        name = operation._overloadpacket.__name__
        factors = _FACTORS.get(name, ()) if self.told else ()
        taken = [rounded(each) if at in factors else each for at, each in enumerate(args)]
        return operation(*taken, **kwargs or {})

    @contextmanager
    def here(self) -> Iterator[None]:
        """Tell it to."""
        before, self.told = self.told, True
        try:
            yield
        finally:
            self.told = before


@contextmanager
def tf32() -> Iterator[None]:
    """Give the context in which this processor is taken for a device that has TF32."""
    with (
        _Rounding() as rounding,  # below all that records operations, which shall not see it
        patch("xaibench.core.passes.engine.check_tf32"),
        patch("xaibench.core.passes.device.rounded_float32", rounding.here),
    ):
        yield
