"""The log in a run's folder: everything that happened, with the time, whatever a terminal shows."""

import logging
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from xaibench import __version__
from xaibench.core.errors import XaibenchError
from xaibench.core.files import exists, is_file, real_path
from xaibench.core.visible import visible

NAME = "run.log"
_STANDS = "the traceback is in "
_open: set[Path] = set()


@contextmanager
def logged_to(folder: Path, command: str) -> Iterator[None]:
    """Append all that happens in the block to ``run.log``; nothing ever reads it.

    Inside a block of the same folder this does nothing. A folder that can't be written gets no log:
    the first result will say so.

    Args:
        folder: of what is done.
        command: what the user wrote.
    """
    path = real_path(folder) / NAME
    if path in _open:
        yield
        return
    handler, ours = _LogFile(path, command), logging.getLogger("xaibench")
    before = ours.level
    _open.add(path)
    logging.getLogger().addHandler(handler)
    ours.setLevel(logging.DEBUG)
    try:
        yield
        handler.end("end")
    except XaibenchError as error:
        handler.end(f"error: {error}", refused=True)
        raise
    except BaseException as error:
        if interruption_of(error) is not None:
            handler.end("stopped")
        elif isinstance(error, Exception):
            handler.write(f"unexpected error: {error!r}", error)
            error.add_note(f"{_STANDS}{folder / NAME}")
        raise
    finally:
        ours.setLevel(before)
        logging.getLogger().removeHandler(handler)
        handler.close()
        _open.discard(path)


def interruption_of(error: BaseException | None) -> KeyboardInterrupt | None:
    """Return the interruption that an error stems from; torch.save makes one of its own of it."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error


def pass_on_interruption(error: BaseException) -> None:
    """Raise the interruption that an error stems from, if any: it must not pass for a failure."""
    interruption = interruption_of(error)
    if interruption is not None:
        raise interruption from error


def place_of(error: BaseException) -> str:
    """Return words that say where an error was logged, or an empty string."""
    notes = getattr(error, "__notes__", [])
    return next((note for note in notes if note.startswith(_STANDS)), "")


def is_ours(record: logging.LogRecord) -> bool:
    """Whether a log is to show a record: all of xaibench, and of other packages warnings."""
    return record.name.startswith("xaibench") or record.levelno >= logging.WARNING


class LogFormatter(logging.Formatter):
    """Writes a record so that nothing in it acts on a terminal or passes for another record."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record in lines; all but the first are indented."""
        return visible(super().format(record)).replace("\n", "\n    ")


class _LogFile(logging.FileHandler):
    """Opens its file with the first line, so that what is refused at once leaves no folder."""

    def __init__(self, path: Path, command: str) -> None:
        super().__init__(path, "a", "utf-8", delay=True)
        self._path, self._lost = path, False
        self._header: tuple[str, ...] = (
            f"begin: {command}",
            f"xaibench {__version__}, Python {platform.python_version()}, "
            f"torch {version('torch')}, {platform.platform()}",
        )
        self.setFormatter(LogFormatter("%(asctime)s %(levelname)s %(message)s"))
        self.addFilter(is_ours)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line."""
        # A line must not land in another file, nor wait for a reader.
        elsewhere = self._path.is_symlink() or (exists(self._path) and not is_file(self._path))
        if self._lost or elsewhere:
            return
        header, self._header = self._header, ()
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            for text in header:
                super().emit(_record(text))
            super().emit(record)
        except OSError:
            self._lost = True

    def write(self, text: str, error: BaseException | None = None) -> None:
        """Write to this log alone, with a traceback where there is an error."""
        self.handle(_record(text, error))

    def end(self, text: str, *, refused: bool = False) -> None:
        """Write the last line of what has begun, or in a run's folder of what found all done."""
        in_a_run = exists(self._path.with_name("run.json")) and not refused
        if in_a_run or not self._header:
            self.write(text)


def _record(text: str, error: BaseException | None = None) -> logging.LogRecord:
    fault = (type(error), error, error.__traceback__) if error else None
    level = logging.ERROR if error else logging.INFO
    return logging.LogRecord("xaibench", level, "", 0, text, None, fault)
