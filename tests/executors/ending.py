"""Ending a process that schedules, and looking whether its workers end, too."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from toys import wait_for

_SOON = 10


def end_scheduler(executor, out, how):
    """Signal a scheduler, and as Ctrl-C does its whole group; return exit code and what it said."""
    script = Path(__file__).with_name("scheduler.py")
    scheduler = subprocess.Popen(
        [sys.executable, script, executor, out], text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        workers = [int(process) for process in wait_for(out / "a", out / "b")]
        assert scheduler.pid not in workers
        assert all(map(runs, workers))
        (os.killpg if how == signal.SIGINT else os.kill)(scheduler.pid, how)
        said, _ = scheduler.communicate(timeout=_SOON)
    finally:
        scheduler.kill()
    await_end(workers)
    return scheduler.returncode, said


def await_end(workers):
    """Fail unless all of these processes end soon."""
    until = time.monotonic() + _SOON
    while any(map(runs, workers)):
        assert time.monotonic() < until, "a worker outlives what scheduled it"
        time.sleep(0.05)


def runs(process):
    """Whether a process is at work; one that nobody has buried isn't."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"
