"""Where and how precisely to compute."""

import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TypeVar

import torch
from torch import Tensor, nn

from xaibench.core.errors import XaibenchError
from xaibench.core.passes.allocator import keep_freed_memory
from xaibench.core.passes.float32 import exact_float32, rounded_float32
from xaibench.core.passes.processor import refuse_slow_half

_WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"
_TF32_FROM = (8, 0)
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
    """Return the device for ``auto``, ``cpu``, ``cuda`` or ``cuda:1``, on this machine.

    Raises:
        XaibenchError: CUDA was asked for where there is none, or not that one.
    """
    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name.startswith("cuda") and not there:
        raise XaibenchError(f"--device {name}: no CUDA device was found; use --device cpu or auto.")
    if name == "cpu" or not there:
        keep_freed_memory()
        return torch.device("cpu")
    _, _, number = name.partition(":")
    if number and int(number) >= there:
        raise XaibenchError(
            f"--device {name}: there are only {there} CUDA devices, the first is cuda:0."
            if there > 1
            else f"--device {name}: there is only one CUDA device, cuda:0."
        )
    return torch.device("cuda", int(number or torch.cuda.current_device()))


@contextmanager
def repeatable(device: torch.device) -> Iterator[None]:
    """Give the context in which the same work gives the same numbers again, in full float32.

    On CUDA kernels are chosen that do so; where one has no such variant torch warns, and results
    may differ in the last digits. Afterwards the process is as it was.
    """
    if device.type != "cuda":
        with exact_float32():
            yield
        return
    cudnn, given = torch.backends.cudnn, os.environ.get(_WORKSPACE)
    benchmark = cudnn.benchmark
    before = torch.are_deterministic_algorithms_enabled()
    warns = torch.is_deterministic_algorithms_warn_only_enabled()
    os.environ.setdefault(_WORKSPACE, ":4096:8")
    try:
        torch.use_deterministic_algorithms(mode=True, warn_only=True)
        cudnn.benchmark = False
        with exact_float32():
            yield
    finally:
        torch.use_deterministic_algorithms(before, warn_only=warns)
        cudnn.benchmark = benchmark
        if given is None:
            os.environ.pop(_WORKSPACE, None)


def forward_in(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """Return the context of a network's way forward in a precision."""
    if precision in _HALVES:
        return torch.autocast(device.type, dtype=_HALVES[precision])
    return backward_in(precision)


def backward_in(precision: str) -> AbstractContextManager[object]:
    """Return the context of the way back, which autocast follows by itself."""
    return rounded_float32() if precision == "tf32" else nullcontext()


def training_precision(device: torch.device, name: str) -> str:
    """Return ``fp32``, ``tf32``, ``bf16`` or ``fp16`` for what ``--train-precision`` says.

    ``auto`` is bf16 on a GPU that computes in it; on the CPU it gained nothing for small networks.

    Raises:
        XaibenchError: the device has no instructions for what was asked.
    """
    if name == "auto":
        return "bf16" if device.type == "cuda" and _has_bf16() else "fp32"
    check_precision(device, name, "--train-precision")
    return name


def check_precision(device: torch.device, precision: str, option: str = "--precision") -> None:
    """Refuse a precision that the device has no instructions for.

    Raises:
        XaibenchError: it has none.
    """
    check_tf32(device, precision, option)
    if device.type == "cpu":
        refuse_slow_half(precision, option)
    elif device.type == "cuda" and precision == "bf16" and not _has_bf16():
        raise XaibenchError(
            f"{option} bf16: {torch.cuda.get_device_name(device)} has no instructions for it; take "
            "fp16 or fp32."
        )


def check_tf32(device: torch.device, precision: str, option: str) -> None:
    """Refuse ``tf32`` where products of float32 would be exact after all.

    Raises:
        XaibenchError: the device has none.
    """
    if precision != "tf32":
        return
    nvidia = device.type == "cuda" and torch.version.hip is None
    if not nvidia or torch.cuda.get_device_capability(device) < _TF32_FROM:
        raise XaibenchError(
            f"{option} tf32: only NVIDIA GPUs from Ampere on (A100, RTX 30) compute in it; take "
            "fp32."
        )


def _has_bf16() -> bool:
    return bool(torch.cuda.is_bf16_supported(including_emulation=False))


def place_model(model: Module, device: torch.device) -> Module:
    """Move a model to a device, its convolutions channels last: up to twice as fast."""
    return model.to(device).to(memory_format=torch.channels_last)


def place_images(images: Tensor, device: torch.device) -> Tensor:
    """Move uint8 images to a device as floats in [0, 1], channels last."""
    moved = images.to(device, non_blocking=True).float().div_(255)
    return moved.contiguous(memory_format=torch.channels_last)


def as_bytes(images: Tensor) -> Tensor:
    """Return images ``(..., C, H, W)`` in [0, 1] as they are shown: uint8, ``(..., H, W, C)``."""
    return (images.float().clamp(0, 1) * 255).round().byte().movedim(-3, -1)
