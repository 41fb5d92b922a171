"""What a run's folder needs no more: parts that are joined, and what killed processes left."""

import shutil
from pathlib import Path

from xaibench.core.store import files_below, remove_leftovers
from xaibench.explaining.parts import RECORD
from xaibench.results.folder import OWN_FOLDERS
from xaibench.results.integrity import intact_record
from xaibench.results.maps import map_files
from xaibench.results.stored_work import read_cell
from xaibench.results.work_records import CellRecord, PartRecord


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
        named = set(cell.files)
        for record in sorted(parts.glob(f"*/{RECORD}")):
            part = intact_record(record, PartRecord)
            if part is None or _is_joined(part, cell):
                shutil.rmtree(record.parent, ignore_errors=True)
            else:
                named.update(part.files)
        if cell != CellRecord() and cell.error is None and not any(parts.glob(f"*/{RECORD}")):
            shutil.rmtree(parts, ignore_errors=True)
        for path in map_files(parts.parent):
            if path.name not in named:
                path.unlink(missing_ok=True)


def _is_joined(part: PartRecord, cell: CellRecord) -> bool:
    """Whether a cell holds all that a part was made for."""
    held = {**cell.metrics, **{spec: each.made_from for spec, each in cell.failed_metrics.items()}}
    return part.maps == cell.maps and part.metrics.items() <= held.items()
