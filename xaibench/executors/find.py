"""Finding an executor by its name."""

from importlib import import_module

from xaibench.core.errors import XaibenchError
from xaibench.executors import EXECUTORS
from xaibench.executors.schedule import Executor


def find_executor(name: str) -> Executor:
    """Return the executor of that name; only then is it imported, with what it needs.

    Raises:
        XaibenchError: there is none of that name, or what it needs isn't installed.
    """
    if name not in EXECUTORS:
        raise XaibenchError(f"--executor {name}: choose one of {', '.join(EXECUTORS)}.")
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
