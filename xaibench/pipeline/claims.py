"""Who works on what: two runs in one folder share the work instead of spoiling each other's."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from xaibench.core.store import folder_name, storing
from xaibench.executors.schedule import Busy

_log = logging.getLogger(__name__)


@contextmanager
def claimed(out: Path, key: str) -> Iterator[None]:
    """Hold a piece of work while the block does it; the system frees it when the process ends.

    Args:
        out: the run's folder; where its file system knows no locks, nobody is kept out.
        key: the work's name.

    Raises:
        Busy: another process holds it.
    """
    path = out / "locks" / f"{folder_name(key)}.lock"
    with storing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise Busy(key) from None
    except NotImplementedError:
        _log.warning("%s: no file locks here; start only one run in this folder", out)
    try:
        yield
    finally:
        lock.release()
