"""Locks: two runs in one folder share the work instead of spoiling each other's."""

import errno
import logging
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from uuid import uuid4

from filelock import FileLock, Timeout

from xaibench.core.store import folder_name, storing
from xaibench.executors.schedule import Busy

_log = logging.getLogger(__name__)
_AT_ONCE, _PATIENTLY = 0, -1


@contextmanager
def locked(out: Path, key: str) -> Iterator[None]:
    """Hold a task while the block does it; the system frees it when the process ends.

    Args:
        out: the run's folder; where its file system knows no locks, nobody is kept out.
        key: the task's name.

    Raises:
        Busy: another process holds it.
        StorageError: the disk is full, or the folder can't be written.
    """
    lock = _lock(out / "locks" / f"{folder_name(key)}.lock")
    if not _holds(lock, _AT_ONCE):
        raise Busy(key)
    try:
        yield
    finally:
        lock.release()


@contextmanager
def registered(
    out: Path,
    clear: Callable[[], None],
    enter: Callable[[Path, str, Collection[str]], None] = lambda *_: None,
) -> Iterator[None]:
    """Let other runs in a folder know of this one while the block lasts.

    Args:
        out: the run's folder.
        clear: what the last one does that leaves: until then others may need what it removes.
        enter: what is done first, with the folder of runs, this one's name, and those at work.

    Raises:
        StorageError: the disk is full, or the folder can't be written.
    """
    runs = out / "locks" / "runs"
    name = uuid4().hex
    door, mine = _lock(runs / "door.lock"), _lock(runs / f"run-{name}.lock")
    with _held(door):
        others = [path for path in runs.glob("run-*.lock") if _is_held(path)]
        enter(runs, name, [path.stem.removeprefix("run-") for path in others])
        _holds(mine, _AT_ONCE)
    try:
        yield
        with _held(door):
            if not any(
                _is_held(path) for path in runs.glob("run-*") if path != Path(mine.lock_file)
            ):
                clear()
    finally:
        mine.release()
        Path(mine.lock_file).unlink(missing_ok=True)


@contextmanager
def settled(out: Path) -> Iterator[None]:
    """Let no other run write the tables or the report of a folder while the block does.

    Raises:
        StorageError: the disk is full, or the folder can't be written.
    """
    with _held(_lock(out / "locks" / "tables.lock")):
        yield


@contextmanager
def _held(lock: FileLock) -> Iterator[None]:
    _holds(lock, _PATIENTLY)
    try:
        yield
    finally:
        lock.release()


def _lock(path: Path) -> FileLock:
    # Its substitute, a file that is there or not, would outlive a process that is killed.
    return FileLock(path, fallback_to_soft=False)


def _holds(lock: FileLock, timeout: float) -> bool:
    """Take a lock; whether it is taken, or can't be, as there are no locks here."""
    path = Path(lock.lock_file)
    with storing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=timeout)
        except Timeout:
            return False
        except OSError as error:
            if error.errno != errno.ENOSYS:
                raise
            _warn(path.parent)
    return True


@cache
def _warn(folder: Path) -> None:
    _log.warning("%s: no file locks here; start only one run in this folder", folder)


def _is_held(path: Path) -> bool:
    """Whether a process that runs holds a lock; what one left behind that was killed goes."""
    lock = _lock(path)
    if not _holds(lock, _AT_ONCE):
        return True
    lock.release()
    path.unlink(missing_ok=True)
    return False
