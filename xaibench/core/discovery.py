"""Importing plugins, whose decorators then register them."""

import importlib
import importlib.util
import pkgutil
import sys
import traceback
from functools import cache
from pathlib import Path

from xaibench.core.contract import plural
from xaibench.core.errors import XaibenchError
from xaibench.core.extensions import announced, load_entry


def failed_import(path: Path, error: BaseException) -> XaibenchError:
    """Say what keeps a user's plugin file from being imported, and at which of its lines."""
    if isinstance(error, XaibenchError):
        return XaibenchError(f"--plugin {path}: {error}")
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).resolve() == path.resolve()
    ]
    where = f", line {lines[-1]}" if lines else ""
    said = f"{type(error).__name__}: {error}".rstrip(": ")
    return XaibenchError(f"--plugin {path}{where}: it fails to import ({said}); fix it.")


def import_file(path: Path) -> None:
    """Import a user's plugin file.

    Raises:
        XaibenchError: it is no Python file, or fails to import.
    """
    name = f"xaibench_plugin_{path.stem}"
    specification = importlib.util.spec_from_file_location(name, path)
    if specification is None or specification.loader is None:
        raise XaibenchError(f"--plugin {path}: not a Python file; its name must end in .py.")
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    try:
        specification.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if isinstance(error, KeyboardInterrupt):
            raise
        raise failed_import(path, error) from error


@cache
def discover(kind: str) -> None:
    """Import all plugins of a kind: the package's own, and those of installed packages.

    Raises:
        XaibenchError: one of the latter fails.
    """
    package = importlib.import_module(f"xaibench.{plural(kind)}")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    for entry in announced(kind):
        load_entry(entry, f"{kind} plugin {entry.name}")
