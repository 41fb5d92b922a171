"""The machine's own limit, and what a process needs at most."""

import ctypes
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h


def give_back_memory() -> None:
    """Set glibc's allocator to where its own adjustment ends: large blocks go back to the system.

    That is what a process has that never heard of mallopt: it raises its threshold up to 32 MB.
    """
    libc = ctypes.CDLL(None)
    libc.mallopt(_M_MMAP_THRESHOLD, 32 << 20)
    libc.mallopt(_M_TRIM_THRESHOLD, 64 << 20)
    libc.malloc_trim(0)


def flops_of(network: nn.Module, image: Tensor) -> float:
    """Return the floating point operations of one forward pass of one image."""
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        network(image)
    return float(counter.get_total_flops())


def matmul_rate() -> float:
    """Return the fastest rate found for a large float32 matrix product, in operations a second.

    As a plain product and as the 1x1 convolution that it is in a network: which library does them
    differs, and so does what it makes of the processor.
    """
    left, right = torch.rand(4096, 2048), torch.rand(2048, 2048)
    pixels = left.T.reshape(1, 2048, 64, 64).contiguous(memory_format=torch.channels_last)
    kernel = right.T.reshape(2048, 2048, 1, 1).contiguous(memory_format=torch.channels_last)
    seconds = []
    with torch.inference_mode():
        for _ in range(5):
            for product in (lambda: left @ right, lambda: functional.conv2d(pixels, kernel)):
                started = time.perf_counter()
                product()
                seconds.append(time.perf_counter() - started)
    return 2 * 4096 * 2048 * 2048 / min(seconds)


def most_memory_from_here() -> Callable[[], float]:
    """Give back what is free, and return a reader of the most memory (GB) held since then."""
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5", "ascii")  # resets VmHWM (man 5 proc)

    def read() -> float:
        status = Path("/proc/self/status").read_text("ascii")
        return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1e6

    return read


def peak_memory(setting: Any, source: str) -> float:
    """Return the most memory (GB) that a fresh process holds while it does this work.

    Before it are torch, the libraries, the model and the images; what preparing them took on top is
    given back.
    """
    given = {
        item.name: getattr(setting, item.name)
        for item in fields(setting)
        if item.default is MISSING and item.default_factory is MISSING
    }
    script = (
        "import json, sys\n"
        "sys.path.insert(0, sys.argv[2])\n"
        "from contest import Setting, prepare\n"
        "from machine import most_memory_from_here\n"
        "from works import *\n"
        "setting = prepare(Setting(**json.loads(sys.argv[1])))\n"
        "read = most_memory_from_here()\n"
        f"{source}\n"
        "print(read())\n"
    )  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", script, json.dumps(given), sys.path[0]],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return float(done.stdout.split()[-1])
