"""What a folder's ``run.json`` says: data to be checked, that may name code but brings none."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from xaibench.core.errors import XaibenchError
from xaibench.core.registry import is_loaded
from xaibench.core.store import read_json
from xaibench.results.plain import check_plain

_KINDS: Mapping[str, type] = {
    "options": dict, "models": dict, "methods": dict, "metrics": dict, "protocol": dict,
    "splits": dict, "classes": list, "seeds": list, "dataset": str,
}  # fmt: skip


def read_run(folder: Path, wanted: Iterable[str]) -> dict[str, Any]:
    """Return a run's ``run.json``; empty where an entry that is wanted is missing or malformed.

    Raises:
        XaibenchError: something in the folder is no plain file.
    """
    check_plain(folder)
    run = read_json(folder / "run.json")
    whole = all(isinstance(run.get(name), _KINDS[name]) for name in wanted)
    return run if whole else {}


def options_of(run: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run's options, but for those that are given.

    Raises:
        XaibenchError: the run names plugin files that nobody has loaded, and none are given.
    """
    if not given.get("plugin"):
        refuse_code(run)
    return {**run["options"], **given}


def refuse_code(run: Mapping[str, Any]) -> None:
    """Make sure that all plugin files that a run names were loaded because a user said so.

    Raises:
        XaibenchError: one was not; a folder from elsewhere may name any file.
    """
    named = run["options"].get("plugin", ())
    for file in named if isinstance(named, list | tuple) else [named]:
        if not is_loaded(Path(str(file))):
            raise XaibenchError(
                f"run.json names the plugin file {file}, which is code; give --plugin {file} if "
                "you trust it."
            )
