"""Tasks to try executors with: ``do`` calls the toy that a task's work names."""

import logging
import os
import signal
import sys
import time
from pathlib import Path

from xaibench.core.errors import DataNotFoundError
from xaibench.executors.schedule import Busy

_log = logging.getLogger("xaibench.toys")
_PATIENCE = 20


def do(work, out):
    name, *arguments = work
    return globals()[name](out, *arguments)


def write(out, name):
    (out / name).parent.mkdir(parents=True, exist_ok=True)
    (out / name).write_text(name)
    return name


def read(out, *names):
    return [(out / name).read_text() for name in names]


def fail(out):
    raise ValueError("no\ngood")


def lack(out):
    raise DataNotFoundError("no data", "fetch them")  # can be pickled, but not read again


def fail_locally(out):
    class LocalError(Exception):
        pass

    raise LocalError("here")


def answer_with_code(out):
    return lambda: None


def busy_at_first(out, name, seconds):
    begun = out / name
    if not begun.exists():
        begun.touch()
    if time.time() - begun.stat().st_mtime < seconds:
        raise Busy
    return time.time()


def tell(out):
    _log.debug("a detail")
    _log.info("%s of %d", "half", 2)
    try:
        fail(out)
    except ValueError:
        _log.warning("it fails", exc_info=True)


def die(out, name, times, how=signal.SIGKILL):
    """Die so many times, and count them in a file."""
    with (out / name).open("a") as file:
        file.write("x")
    if len((out / name).read_text()) <= times:
        os.kill(os.getpid(), how)
    return len((out / name).read_text())


def quit_all(out, code):
    sys.exit(code)


def leave(out, code):
    os._exit(code)


def meet(out, mine, other):
    """Return only where another task is at work at the same time."""
    (out / mine).touch()
    wait_for(out / other)
    return os.getpid()


def sleep(out, name):
    write(out, f"{name}.tmp")
    (out / f"{name}.tmp").write_text(str(os.getpid()))
    (out / f"{name}.tmp").replace(out / name)
    time.sleep(600)


def variables(out, *names):
    return {name: os.environ.get(name) for name in names}


def change(out):
    """Write, change and remove files; return what was there."""
    before = sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())
    (out / "models/a/model.pt").write_text("trained")
    (out / "models/a/old.csv").unlink()
    for name in ("cells/a/cell.json", "cells/a/parts/0/scores.csv", ".maps.npz.1.tmp"):
        write(out, name)
    return before


def wait_for(*paths):
    """Return the contents of files once all are there."""
    until = time.monotonic() + _PATIENCE
    while not all(Path(path).exists() for path in paths):
        assert time.monotonic() < until, f"never came: {paths}"
        time.sleep(0.02)
    return [Path(path).read_text() for path in paths]
