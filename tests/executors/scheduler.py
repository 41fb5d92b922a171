"""Schedules tasks that never end, for tests that end it: ``scheduler.py EXECUTOR OUT``."""

import sys
from pathlib import Path

from toys import do

from xaibench.executors.find import EXECUTORS
from xaibench.executors.schedule import Resources, Task

if __name__ == "__main__":
    tasks = [Task(name, ("sleep", name)) for name in ("a", "b")]
    try:
        list(EXECUTORS.load(sys.argv[1])(do, tasks, Resources(Path(sys.argv[2]), workers=2)))
    except KeyboardInterrupt:
        raise SystemExit(130) from None
