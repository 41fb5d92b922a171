"""Float32 as it is written: without TF32, which keeps 10 of its 23 binary digits in products."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Lock
from typing import Any, NamedTuple

import torch


class _Switch(NamedTuple):
    """What torch has two switches for: the former one, and those that took its place in 2.9."""

    read: Callable[[], Any]
    write: Callable[[Any], None]
    off: Any
    places: tuple[str, ...]


def _write_cudnn(allowed: bool) -> None:
    torch.backends.cudnn.allow_tf32 = allowed


_SWITCHES = (
    _Switch(
        torch.get_float32_matmul_precision,
        torch.set_float32_matmul_precision,
        "highest",
        ("cuda.matmul", "mkldnn.matmul"),
    ),
    _Switch(
        lambda: torch.backends.cudnn.allow_tf32,
        _write_cudnn,
        False,
        ("cudnn.conv", "cudnn.rnn", "mkldnn.conv", "mkldnn.rnn"),
    ),
)


_lock, _users = Lock(), 0
_put_back: list[Callable[[], None]] = []


@contextmanager
def exact_float32() -> Iterator[None]:
    """Give the context of all that a pass does, the way back included; then all is as it was.

    It is the caller's business what his own products may lose, and by which of torch's switches he
    says so: torch refuses to read a former one that contradicts its successor.
    """
    global _users  # noqa: PLW0603 (the switches are the process's, too)
    with _lock:
        if not _users:
            _put_back[:] = [undo for switch in _SWITCHES for undo in _turn_off(switch)]
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if not _users:
                for undo in _put_back:
                    undo()


def _turn_off(switch: _Switch) -> Iterator[Callable[[], None]]:
    """Turn both switches off; yield what puts them back, the former one first."""
    modern = [(place, place.fp32_precision) for place in _find(switch.places)]
    before = switch.off
    with suppress(RuntimeError):  # the two contradict each other: the modern one alone is read
        before = switch.read()
    if before != switch.off:
        switch.write(switch.off)
        yield lambda: switch.write(before)
    for place, precision in modern:
        place.fp32_precision = "ieee"
        yield _writer(place, precision)


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
