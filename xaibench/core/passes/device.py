"""Where and how precisely to compute."""

import os
import time
from contextlib import AbstractContextManager, nullcontext
from typing import TypeVar

import torch
from torch import Tensor, nn

from xaibench.core.errors import XaibenchError
from xaibench.core.passes.allocator import keep_freed_memory

_HALVES = {"bf16": torch.bfloat16, "fp16": torch.float16}
Module = TypeVar("Module", bound=nn.Module)


def set_up(model: Module, device: torch.device) -> Module:
    """Return a trained model as plugins and passes meet it: placed, evaluating, all of it frozen.

    Runs, diagnostics, the explaining of pictures and the trials of `xaibench check` call this.
    """
    return place_model(model, device).eval().requires_grad_(requires_grad=False)


def now(device: torch.device) -> float:
    """Return seconds by the clock, after all that the device still has to do."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def choose_device(name: str) -> torch.device:
    """Return the device for ``auto``, ``cpu`` or ``cuda``.

    Raises:
        XaibenchError: CUDA was asked for where there is none.
    """
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise XaibenchError("--device cuda: no CUDA device was found; use --device cpu or auto.")
    if name == "cpu" or not there:
        keep_freed_memory()
        return torch.device("cpu")
    _compute_repeatably()
    return torch.device("cuda")


def _compute_repeatably() -> None:
    """Choose CUDA kernels that give the same numbers again, in full float32 where no autocast is.

    Where a kernel has no such variant torch warns, and results may differ in the last digits.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(mode=True, warn_only=True)
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.allow_tf32 = False


def autocast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """Return the context in which networks compute in ``bf16`` or ``fp16``."""
    return torch.autocast(device.type, dtype=_HALVES[precision])


def full_precision() -> AbstractContextManager[object]:
    """Return the context in which CUDA convolutions keep float32's digits, which TF32 drops."""
    cudnn = torch.backends.cudnn
    context: AbstractContextManager[object] = cudnn.flags(
        enabled=cudnn.enabled, deterministic=cudnn.deterministic, allow_tf32=False
    )
    return context


def mixed_precision(device: torch.device) -> AbstractContextManager[object]:
    """Return bfloat16 autocast on CUDA; on the CPU it gained nothing for small networks."""
    if device.type == "cuda" and torch.cuda.is_bf16_supported():
        return autocast(device, "bf16")
    return nullcontext()


def place_model(model: Module, device: torch.device) -> Module:
    """Move a model to a device, its convolutions channels last: up to twice as fast."""
    return model.to(device).to(memory_format=torch.channels_last)


def place_images(images: Tensor, device: torch.device) -> Tensor:
    """Move uint8 images to a device as floats in [0, 1], channels last."""
    moved = images.to(device, non_blocking=True).float().div_(255)
    return moved.contiguous(memory_format=torch.channels_last)
