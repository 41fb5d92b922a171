"""What joined cells need no more; it stays while another run in the folder may be at work on it."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xaibench.explaining.parts import RECORD
from xaibench.results.integrity import read_record
from xaibench.results.maps import map_files
from xaibench.setup.cells import read_cell


def clear(out: Path) -> None:
    """Remove the parts that are joined, whichever run left them, and maps that nothing names.

    The parts of what isn't joined stay, as those of a method that has failed: tried again, it goes
    on from there.
    """
    for parts in sorted(out.glob("cells/**/parts")):
        cell = read_cell(parts.parent)
        named = set(cell.get("files", {}))
        for record in sorted(parts.glob(f"*/{RECORD}")):
            part = read_record(record)
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
