"""Finding an executor by its name: one of ours, or one that an installed package brings."""

from importlib import import_module
from importlib.metadata import EntryPoint, entry_points

from xaibench.core.errors import XaibenchError
from xaibench.core.suggest import did_you_mean
from xaibench.executors import EXECUTORS
from xaibench.executors.schedule import Executor

GROUP = "xaibench.executors"
"""Entry points of this group are executors; see `executors.schedule.Executor`."""


def check_executor(name: str) -> None:
    """Refuse a name that no executor has; none is imported.

    Raises:
        XaibenchError: there is no such executor.
    """
    known = [*EXECUTORS, *_installed()]
    if name not in known:
        raise XaibenchError(
            f"--executor {name}: there is none of that name{did_you_mean(name, known)}; choose one "
            f"of {', '.join(known)}."
        )


def find_executor(name: str) -> Executor:
    """Return the executor of that name; only then is it imported, with what it needs.

    Raises:
        XaibenchError: there is none of that name, or it can't be imported.
    """
    check_executor(name)
    if name not in EXECUTORS:
        return _load(_installed()[name])
    try:
        module = import_module(f"xaibench.executors.{name}")
    except ModuleNotFoundError as error:
        if error.name != "ray":
            raise
        raise XaibenchError(
            "--executor ray: ray is not installed; pip install 'xaibench[ray]'"
        ) from error
    executor: Executor = getattr(module, name)
    return executor


def _installed() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def _load(entry: EntryPoint) -> Executor:
    try:
        executor: Executor = entry.load()
    except Exception as error:
        raise XaibenchError(
            f"--executor {entry.name}: the package that brings it fails to import "
            f"({type(error).__name__}: {error}); mend or uninstall it."
        ) from error
    return executor
