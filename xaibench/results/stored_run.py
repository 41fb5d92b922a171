"""What a folder's ``run.json`` says: data to be checked, that may name code but brings none."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from xaibench.core.errors import XaibenchError
from xaibench.core.registry import is_loaded
from xaibench.results.folder import RUN_FILE
from xaibench.results.integrity import read_record
from xaibench.results.plain import check_plain
from xaibench.results.records import RunRecord
from xaibench.results.todays_names import under_todays_names


def read_run(folder: Path) -> RunRecord:
    """Return what a run says of itself.

    Raises:
        XaibenchError: there is no ``run.json``, it is damaged or malformed, or something in the
            folder is no plain file.
    """
    check_plain(folder)
    run = read_record(folder / RUN_FILE, RunRecord)
    if run is None:
        parts = ", ".join(str(path.parent) for path in sorted(folder.glob(f"*/{RUN_FILE}")))
        own = "the --out folder of an `xaibench run`"
        wanted = f"one of the runs in it: {parts}" if parts else own
        raise XaibenchError(f"{folder}: no {RUN_FILE}; name {wanted}.")
    return replace(
        run,
        models=under_todays_names("model", run.models),
        supervision=under_todays_names("model", run.supervision),
        methods=under_todays_names("method", run.methods),
        metrics=under_todays_names("metric", run.metrics),
    )


def options_of(folder: Path, run: RunRecord, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run's options, but for those that are given.

    Raises:
        XaibenchError: it has none, as it was merged of several; or it names plugin files that
            nobody has loaded, and none are given.
    """
    if run.sources is not None:
        names = ", ".join(source.name for source in run.sources)
        raise XaibenchError(
            f"{folder}: a comparison has no networks; name one of its runs: {names}."
        )
    if not given.get("plugin"):
        refuse_code(run)
    return {"recipe": run.recipe, "redraw": run.redraws, **run.options, **given}


def refuse_code(run: RunRecord) -> None:
    """Make sure that all plugin files that a run names were loaded because a user said so.

    Raises:
        XaibenchError: one was not; a folder from elsewhere may name any file.
    """
    for file in run.options.get("plugin", ()):
        if not is_loaded(Path(file)):
            raise XaibenchError(
                f"run.json names the plugin file {file}, which is code; give --plugin {file} if "
                "you trust it."
            )
