"""Progress for people: a bar in a terminal, plain log lines elsewhere."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

_log = logging.getLogger(__name__)
console = Console(stderr=True)


def log_to_terminal() -> None:
    """Show what xaibench does on stderr, and of other packages only warnings."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("xaibench").setLevel(os.environ.get("XAIBENCH_LOG", "INFO"))


class Bar:
    """One line of progress."""

    def __init__(self, progress: Progress | None, task: TaskID | None) -> None:
        self._progress, self._task = progress, task

    def advance(self, steps: int = 1, *, note: str = "") -> None:
        """Count steps; the note is shown beside the bar."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, advance=steps, note=note)
        elif note:
            _log.info("%s", note)


@contextmanager
def progress_bar(title: str, total: int, done: int = 0, *, shown: bool = True) -> Iterator[Bar]:
    """Show a bar with counts, elapsed time and time left while the block runs."""
    if not (shown and sys.stderr.isatty()):
        yield Bar(None, None)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=console) as progress:
        yield Bar(progress, progress.add_task(title, total=total, completed=done, note=""))
