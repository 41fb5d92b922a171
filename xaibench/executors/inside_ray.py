"""Private parts of Ray, which may move or go with any release: all that we use of them is here."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

_PLACE, _SWITCH = "ray._private.worker", "_worker_logs_enabled"


@contextmanager
def quiet_workers() -> Iterator[None]:
    """Keep Ray from printing of each worker that dies; so do we, by the task.

    It would print to stdout, between the bars. Where there is no such switch any more, it does.
    """
    try:
        driver = import_module(_PLACE)
        told = getattr(driver, _SWITCH)
    except (ImportError, AttributeError):
        yield
        return
    setattr(driver, _SWITCH, False)
    try:
        yield
    finally:
        setattr(driver, _SWITCH, told)
