"""Checkpoints: what a training needs to go on, written beside it and read with care."""

import io
import logging
import math
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from xaibench.results.sealed import DamagedError, read_sealed, write_sealed

_log = logging.getLogger(__name__)
_LARGEST_SHARE = 0.05


class Checkpoints:
    """Writes a training's latest state, beside it, for no more than a twentieth of its time.

    What is written is a copy, so that training goes on meanwhile. The first is written at once, and
    each later one when twenty times the time has passed that the last one took.
    """

    def __init__(self, path: Path) -> None:
        """Take the file's place."""
        self._path = path
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._writing: Future[None] | None = None
        self._began, self._seconds = -math.inf, 0.0

    def offer(self, content: Callable[[], Mapping[str, Any]]) -> None:
        """Store what a training needs to go on, unless the last one is too recent.

        Raises:
            StorageError: the last one couldn't be written.
        """
        if self._writing is not None and not self._writing.done():
            return
        self.settle()
        if time.perf_counter() - self._began < self._seconds / _LARGEST_SHARE:
            return
        self._began = time.perf_counter()
        self._writing = self._writer.submit(self._write, _copied(dict(content())))

    def settle(self) -> None:
        """Wait until what was begun is written.

        Raises:
            StorageError: it couldn't be.
        """
        if self._writing is not None:
            self._writing.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.shutdown()
        self.settle()

    def _write(self, content: Mapping[str, Any]) -> None:
        write_sealed(self._path, pack(content))
        self._seconds = time.perf_counter() - self._began


def _copied(content: Any) -> Any:
    """Return state dicts and what they hold with tensors of their own, on the CPU."""
    if isinstance(content, Tensor):
        return content.detach().to("cpu", copy=True)
    if isinstance(content, Mapping):
        return {name: _copied(value) for name, value in content.items()}
    if isinstance(content, list | tuple):
        return type(content)([_copied(value) for value in content])
    return content


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
