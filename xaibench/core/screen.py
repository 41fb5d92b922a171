"""The terminal: bars at its foot, and lines of the log above them, never torn."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from xaibench.core.logs import LogFormatter, is_ours
from xaibench.core.visible import visible

if TYPE_CHECKING:
    from xaibench.core.progress import Bar

_FRAMES_PER_SECOND = 4
_BAR, _NARROW_BAR, _NARROW = 24, 12, 100
_MINUTE, _HOUR = 60, 3600
_STYLES = {logging.WARNING: "yellow", logging.ERROR: "red", logging.DEBUG: "dim"}
_PROGRESS = "xaibench.core.progress"

console = Console(stderr=True, highlight=False, emoji=False)


class Screen:
    """The one live display of a process: a line for each open bar, the outermost first."""

    def __init__(self) -> None:
        self.silent = False
        self._lines: list[Bar] = []
        self._live: Live | None = None

    @property
    def is_live(self) -> bool:
        """Whether bars are shown just now."""
        return self._live is not None

    @contextmanager
    def showing(self, line: "Bar") -> Iterator[None]:
        """Show a line below the others while the block runs, where there is a terminal."""
        # The console's own: where bars are already, sys.stderr is rich's and may deny it.
        if self.silent or not console.file.isatty() or console.is_dumb_terminal:
            yield
            return
        self._lines.append(line)
        if self._live is None:
            self._start()
        try:
            yield
        finally:
            self._lines.remove(line)
            if not self._lines:
                self._stop()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Take the bars away while the block prints to standard output."""
        was_live = self.is_live
        self._stop()
        try:
            yield
        finally:
            if was_live:
                self._start()

    def _start(self) -> None:
        # A new one every time: where it was before, others have written since.
        self._live = Live(
            get_renderable=self._draw,
            console=console,
            transient=True,
            refresh_per_second=_FRAMES_PER_SECOND,
            redirect_stdout=False,  # what goes into a file must go on doing so
        )
        self._live.start()

    def _stop(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _draw(self) -> Group:
        lines = list(self._lines)
        table = Table.grid(padding=(0, 1, 0, 0), expand=True)
        table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        # Of fixed width, so that nothing moves when a number comes or goes.
        for width in (None, 5, 5, 10):
            table.add_column(justify="right", no_wrap=True, min_width=width)
        width = _BAR if console.width >= _NARROW else _NARROW_BAR
        for depth, line in enumerate(lines):
            bar = ProgressBar(total=1, completed=line.fraction, width=width)
            left = "" if line.left is None else f"{clock(line.left)} left"
            table.add_row(
                Text("  " * depth + visible(line.title, lines=False)),
                bar,
                line.count,
                Text(clock(line.elapsed), "dim"),
                left,
            )
        notes = [line.note for line in lines if line.note]
        last = "  " * len(lines) + visible(notes[-1], lines=False) if notes else ""
        note = Text(last, "dim", no_wrap=True, overflow="ellipsis")
        return Group(table, note)


screen = Screen()


class _Handler(logging.Handler):
    """Writes the log through the console, which keeps it above the bars."""

    def emit(self, record: logging.LogRecord) -> None:
        # What a bar shows needs no line beside it.
        if screen.is_live and record.name == _PROGRESS:
            return
        text = Text(self.format(record), _STYLES.get(record.levelno, ""))
        console.print(text, soft_wrap=True)


@contextmanager
def logging_to_terminal(level: int) -> Iterator[None]:
    """Show on stderr what xaibench does while the block runs.

    Args:
        level: the least that is shown. From ``logging.DEBUG`` on lines bear the time, above
            ``logging.ERROR`` there are neither lines nor bars.
    """
    handler, ours = _Handler(level), logging.getLogger("xaibench")
    handler.addFilter(is_ours)
    handler.setFormatter(LogFormatter())
    if level <= logging.DEBUG:
        handler.setFormatter(LogFormatter("%(asctime)s %(message)s", "%H:%M:%S"))
    before, silent = ours.level, screen.silent
    logging.getLogger().addHandler(handler)
    ours.setLevel(min(level, logging.INFO))
    screen.silent = level > logging.ERROR
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        ours.setLevel(before)
        screen.silent = silent


def clock(seconds: float | None) -> str:
    """Write a time span.

    >>> clock(7.6), clock(754), clock(36000 + 61), clock(None)
    ('0:08', '12:34', '10:01:01', '?')
    """
    if seconds is None:
        return "?"
    minutes, rest = divmod(round(seconds), _MINUTE)
    hours, minutes = divmod(minutes, _HOUR // _MINUTE)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
