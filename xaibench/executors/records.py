"""Log records on their way from a worker to the process that schedules."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from logging.handlers import QueueHandler

_LOGGER = "xaibench"


def wanted_level() -> int:
    """Return the least level that workers send: that of this process, if it wants details."""
    return min(logging.getLogger(_LOGGER).getEffectiveLevel(), logging.INFO)


@contextmanager
def sent_by(send: Callable[[logging.LogRecord], object], level: int) -> Iterator[None]:
    """Hand all records of the block to ``send``, in a form that can be pickled."""
    logger, sender = logging.getLogger(_LOGGER), _Sender(send)
    before = logger.level, logger.propagate
    logger.addHandler(sender)
    logger.propagate = False  # nothing is told twice
    logger.setLevel(level)
    try:
        yield
    finally:
        logger.setLevel(before[0])
        logger.propagate = before[1]
        logger.removeHandler(sender)


def replay(record: logging.LogRecord) -> None:
    """Log here what was logged elsewhere."""
    logger = logging.getLogger(record.name)
    if logger.isEnabledFor(record.levelno):
        logger.handle(record)


class _Sender(QueueHandler):
    """Makes text of all that a record holds, as queues want it, but needs none."""

    def __init__(self, send: Callable[[logging.LogRecord], object]) -> None:
        super().__init__(None)  # type: ignore[arg-type]
        self._send = send

    def enqueue(self, record: logging.LogRecord) -> None:
        self._send(record)
