"""What came of a task, in a shape that may leave its process."""

import pickle
import traceback
from pathlib import Path
from typing import Any, NamedTuple

from xaibench.core.errors import XaibenchError
from xaibench.core.logs import pass_on_interruption
from xaibench.executors.schedule import Do


class Outcome(NamedTuple):
    """An answer, or the error that stands for it."""

    answer: Any = None
    error: Exception | None = None


class ForeignError(Exception):
    """Replaces an error that can't leave its process; it reads the same."""

    def __repr__(self) -> str:
        return str(self)


def attempt(do: Do, payload: Any, out: Path) -> Outcome:
    """Do it; whatever it raises is its outcome, so that other tasks go on.

    Raises:
        KeyboardInterrupt: it was interrupted, also where another error has hidden that.
    """
    try:
        return Outcome(do(payload, out))
    except Exception as error:
        pass_on_interruption(error)
        return Outcome(error=error)
    except SystemExit as error:  # a task ends by itself, and nothing else
        return Outcome(error=ForeignError(repr(error)))


def portable(outcome: Outcome) -> Outcome:
    """Return an outcome that can be pickled; the traceback becomes a note of the error."""
    error = outcome.error
    if error is None:
        fault = _fault_of(outcome.answer)
        return outcome if fault is None else portable(Outcome(error=fault))
    trace = "".join(traceback.format_exception(error)).strip()
    if _fault_of(error) is not None:
        ours = isinstance(error, XaibenchError)
        error = XaibenchError(str(error)) if ours else ForeignError(repr(error))
    error.add_note(trace)
    return Outcome(error=error)


def _fault_of(thing: Any) -> Exception | None:
    """Return why something can't travel: some errors can be pickled, but not read again."""
    try:
        pickle.loads(pickle.dumps(thing))  # our own
    except Exception as error:
        return error
    return None
