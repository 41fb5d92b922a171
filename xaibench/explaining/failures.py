"""Whose fault an error is: a plugin's own is a result like any other, all else ends the walk."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from xaibench.core.errors import (
    OutOfMemoryError,
    StorageError,
    Unsupported,
    XaibenchError,
    reason_of,
)
from xaibench.core.logs import pass_on_interruption
from xaibench.core.passes.batching import ran_out_of_memory
from xaibench.core.plugin import Bound
from xaibench.core.store import is_full

_log = logging.getLogger(__name__)


class PluginError(XaibenchError):
    """A plugin failed by its own fault; its text is what tables say of it."""

    @property
    def skips(self) -> bool:
        """Whether it says only that it can't explain this: that is no failure."""
        return isinstance(self.__cause__, Unsupported)


@contextmanager
def blaming(what: str, images: int = 0) -> Iterator[None]:
    """Raise what the block raises as the failure of a plugin, unless that is not to blame.

    Args:
        what: the plugin, for people.
        images: how many it was asked about, where --batch-size says that.

    Raises:
        PluginError: it failed.
        OutOfMemoryError: memory ran out.
        StorageError: the disk is full.
        KeyboardInterrupt: it was interrupted, also where another error has hidden that.
    """
    try:
        yield
    except (StorageError, OutOfMemoryError):
        raise
    except Exception as error:  # any plugin may raise anything
        pass_on_interruption(error)
        refuse_lack_of_memory(error, what, images)
        if isinstance(error, OSError) and is_full(error):
            raise StorageError(
                f"{what}: the disk is full; make room, and repeat the command."
            ) from error
        raise PluginError(reason_of(error)) from error


def tell_failure(method: Bound, title: str, error: PluginError) -> None:
    """Log that a method failed on a model, or what it can't explain."""
    level, what = (logging.INFO, "skipped") if error.skips else (logging.ERROR, "failed")
    _log.log(level, "%s on %s %s: %s", method.spec, title, what, error)
    _log.debug("traceback of %s", method.spec, exc_info=error)


def refuse_lack_of_memory(error: Exception, what: str, images: int) -> None:
    """Say in one line that memory ran out, if that is what an error says.

    Raises:
        OutOfMemoryError: it did.
    """
    if ran_out_of_memory(error):
        remedy = "take smaller images, or a machine with more memory"
        if images > 1:
            remedy = f"{images} images at once are too many; choose a smaller --batch-size"
        raise OutOfMemoryError(f"{what} ran out of memory; {remedy}.") from error
