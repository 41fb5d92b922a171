"""What a run's folder needs no more: parts that are joined, and what killed processes left."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xaibench.core.store import files_below, remove_leftovers
from xaibench.explaining.parts import RECORD
from xaibench.results.folder import OWN_FOLDERS
from xaibench.results.integrity import intact_record
from xaibench.results.maps import map_files
from xaibench.setup.cells import read_cell


def remove_temporary(out: Path) -> None:
    """Remove temporary files of killed processes from the run's own folders, and no others.

    The output folder may be anybody's home: what a run has not made there is never looked into.
    """
    remove_leftovers(path for path in out.glob(".*") if path.is_file())
    for room in OWN_FOLDERS:
        if not (out / room).is_symlink():
            remove_leftovers(files_below(out / room))


def clear(out: Path) -> None:
    """Remove the parts that are joined, whichever run left them, and maps that nothing names.

    This is for the last run that leaves the folder, as others may still need them.
    The parts of what isn't joined stay, as those of a method that has failed: tried again, it goes
    on from there.
    """
    for parts in sorted(out.glob("cells/*/*/*/seed*/*/parts")):
        cell = read_cell(parts.parent)
        named = set(cell.get("files", {}))
        for record in sorted(parts.glob(f"*/{RECORD}")):
            part = intact_record(record, dict) or {}
            if not part or _is_joined(part, cell):
                shutil.rmtree(record.parent, ignore_errors=True)
            else:
                named.update(part["files"])
        if cell and "error" not in cell and not any(parts.glob(f"*/{RECORD}")):
            shutil.rmtree(parts, ignore_errors=True)
        for path in map_files(parts.parent):
            if path.name not in named:
                path.unlink(missing_ok=True)


def _is_joined(part: Mapping[str, Any], cell: Mapping[str, Any]) -> bool:
    """Whether a cell holds all that a part was made for."""
    failed = {spec: each["made_from"] for spec, each in cell.get("failed_metrics", {}).items()}
    held = {**cell.get("metrics", {}), **failed}
    return bool(part["maps"] == cell.get("maps") and part["metrics"].items() <= held.items())
