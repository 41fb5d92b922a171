"""The callbacks of a run as one, of which a failing one costs nothing."""

import logging
from collections.abc import Iterable
from threading import Lock
from types import TracebackType
from typing import Any, Self

from xaibench.callbacks.callback import (
    BoardWritten,
    Callback,
    CellEnd,
    EpochEnd,
    RunEnd,
    RunStart,
)
from xaibench.core.errors import reason_of

_log = logging.getLogger(__name__)


class Callbacks(Callback):
    """Passes all on to others, until the block ends; one that fails is told no more."""

    def __init__(self, callbacks: Iterable[Callback] = ()) -> None:
        self._listening = list(callbacks)
        self._lock = Lock()

    def __bool__(self) -> bool:
        return bool(self._listening)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.on_run_end(RunEnd("" if error is None else str(error) or type(error).__name__))

    def on_run_start(self, event: RunStart) -> None:
        """Pass it on."""
        self._tell("on_run_start", event)

    def on_epoch_end(self, event: EpochEnd) -> None:
        """Pass it on."""
        self._tell("on_epoch_end", event)

    def on_cell_end(self, event: CellEnd) -> None:
        """Pass it on."""
        self._tell("on_cell_end", event)

    def on_board(self, event: BoardWritten) -> None:
        """Pass it on."""
        self._tell("on_board", event)

    def on_run_end(self, event: RunEnd) -> None:
        """Pass it on."""
        self._tell("on_run_end", event)

    def _tell(self, method: str, event: Any) -> None:
        with self._lock:
            for callback in list(self._listening):
                try:
                    getattr(callback, method)(event)
                except (Exception, SystemExit) as error:
                    self._listening.remove(callback)
                    name = type(callback).__name__
                    reason = reason_of(error) if isinstance(error, Exception) else repr(error)
                    _log.warning("callback %s failed and is told no more: %s", name, reason)
                    _log.debug("traceback of callback %s", name, exc_info=error)
