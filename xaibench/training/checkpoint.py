"""Checkpoints: what a training needs to go on, packed and read with care."""

import io
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from xaibench.results.sealed import DamagedError, read_sealed

_log = logging.getLogger(__name__)


def pack(content: Mapping[str, Any]) -> bytes:
    """Return what `torch.load` reads; written by torch itself, a full disk is no `OSError`."""
    packed = io.BytesIO()
    torch.save(content, packed)
    return packed.getvalue()


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Return what a checkpoint holds; nothing where there is none, or none that can be trusted."""
    try:
        packed = io.BytesIO(read_sealed(path))
    except FileNotFoundError:
        return {}
    except DamagedError:
        _log.warning("%s is damaged: training starts anew", path)
        return {}
    try:
        content: dict[str, Any] = torch.load(packed, map_location="cpu", weights_only=True)
    except Exception:  # sealed, but by another version, or by nobody that we trust
        _log.warning("%s can't be read: training starts anew", path)
        return {}
    return content
