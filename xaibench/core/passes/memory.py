"""The most memory that was held since some moment: the GPU's, or the process's on Linux."""

import re
from pathlib import Path

import torch


def forget_peak(device: torch.device) -> None:
    """Count the peak anew from here on."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    try:
        Path("/proc/self/clear_refs").write_text("5", "ascii")  # "5" resets VmHWM (man 5 proc)
    except OSError:  # another system, or one that doesn't allow it
        return


def peak_memory(device: torch.device) -> int | None:
    """Return the most bytes held since `forget_peak`; None where the system doesn't tell."""
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else _held("VmHWM")


def held_memory(device: torch.device) -> int | None:
    """Return the bytes held now; None where the system doesn't tell."""
    return torch.cuda.memory_allocated(device) if device.type == "cuda" else _held("VmRSS")


def _held(name: str) -> int | None:
    try:
        status = Path("/proc/self/status").read_text("ascii")
    except OSError:
        return None
    found = re.search(rf"{name}:\s+(\d+) kB", status)
    return int(found[1]) << 10 if found else None
