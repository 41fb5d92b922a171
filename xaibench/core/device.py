"""Where and how precisely to compute."""

from contextlib import AbstractContextManager, nullcontext

import torch

from xaibench.core.errors import XaibenchError


def choose_device(name: str) -> torch.device:
    """Return the device for ``auto``, ``cpu`` or ``cuda``.

    Raises:
        XaibenchError: CUDA was asked for where there is none.
    """
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise XaibenchError("--device cuda: no CUDA device was found; use --device cpu or auto.")
    return torch.device("cuda" if name == "cuda" or (name == "auto" and there) else "cpu")


def mixed_precision(device: torch.device) -> AbstractContextManager[object]:
    """Return bfloat16 autocast on CUDA; on the CPU it gained nothing for small networks."""
    if device.type == "cuda" and torch.cuda.is_bf16_supported():
        return torch.autocast("cuda", dtype=torch.bfloat16)
    return nullcontext()
