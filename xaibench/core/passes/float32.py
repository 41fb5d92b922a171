"""What products of float32 keep: all 23 binary digits, or the 10 of TF32."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Lock
from typing import Any, NamedTuple

import torch


class _Switch(NamedTuple):
    """What torch has two switches for: the former one, and those that took its place in 2.9."""

    read: Callable[[], Any]
    write: Callable[[Any], None]
    said: dict[str, Any]
    places: tuple[str, ...]


def _write_cudnn(allowed: bool) -> None:
    torch.backends.cudnn.allow_tf32 = allowed


_SWITCHES = (
    _Switch(
        torch.get_float32_matmul_precision,
        torch.set_float32_matmul_precision,
        {"ieee": "highest", "tf32": "high"},
        ("cuda.matmul", "mkldnn.matmul"),
    ),
    _Switch(
        lambda: torch.backends.cudnn.allow_tf32,
        _write_cudnn,
        {"ieee": False, "tf32": True},
        ("cudnn.conv", "cudnn.rnn", "mkldnn.conv", "mkldnn.rnn"),
    ),
)


class _Products:
    """Contexts in which products are computed in one way; the outermost puts all back."""

    def __init__(self, precision: str) -> None:
        self._precision, self._lock, self._users = precision, Lock(), 0
        self._put_back: list[Callable[[], None]] = []

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self._lock:
            if not self._users:
                self._put_back = [undo for each in _SWITCHES for undo in self._turn(each)]
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if not self._users:
                    for undo in self._put_back:
                        undo()

    def _turn(self, switch: _Switch) -> Iterator[Callable[[], None]]:
        """Turn both switches; yield what puts them back, the former one first."""
        modern = [(place, place.fp32_precision) for place in _find(switch.places)]
        before = wanted = switch.said[self._precision]
        with suppress(RuntimeError):  # the two contradict each other: the modern one alone is read
            before = switch.read()
        if before != wanted:
            switch.write(wanted)
            yield lambda: switch.write(before)
        for place, precision in modern:
            place.fp32_precision = self._precision
            yield _writer(place, precision)


exact_float32 = _Products("ieee")
"""Give the context of all that a pass does, the way back included; then all is as it was.

It is the caller's business what his own products may lose, and by which of torch's switches he
says so: torch refuses to read a former one that contradicts its successor.
"""

rounded_float32 = _Products("tf32")
"""Give the context, within the other, of those products that ``--precision tf32`` is said of."""


def _writer(place: Any, precision: str) -> Callable[[], None]:
    def write() -> None:
        # Where it only follows what is said of all, it shall follow again.
        place.fp32_precision = "none"
        if place.fp32_precision != precision:
            place.fp32_precision = precision

    return write


def _find(places: tuple[str, ...]) -> Iterator[Any]:
    """Yield torch's modern switches, where it has them."""
    for path in places:
        backend, _, operation = path.partition(".")
        place = getattr(getattr(torch.backends, backend), operation, None)
        if hasattr(place, "fp32_precision"):
            yield place
