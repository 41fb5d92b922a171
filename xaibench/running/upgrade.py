"""Bringing a folder's records up to date, so that they notice from now on what has changed."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from xaibench.explaining.analyse import analysis_record
from xaibench.results.folder import CELL_FILE, MODEL_FILE
from xaibench.results.integrity import intact_record, write_record
from xaibench.results.records import RunRecord
from xaibench.setup.cells import ledgers_of
from xaibench.setup.provenance import made_before
from xaibench.setup.selection import Selection


def renew(selection: Selection, run: RunRecord) -> None:
    """Write records from before there were schema numbers anew, where they still count.

    Args:
        selection: what the run is about.
        run: the folder's ``run.json`` of that time, which told for all who had made them.
    """
    made = [made_before(run)]
    for path, known in _records(selection):
        if "schema" in known and "schema" not in (intact_record(path, dict) or {}):
            write_record(path, {"made_by": made, **known})


def _records(selection: Selection) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    for ledger in ledgers_of(selection):
        yield ledger.folder / MODEL_FILE, ledger.known
        for method in selection.methods:
            yield ledger.cell_folder(method) / CELL_FILE, ledger.cell_state(method).known
        for analysis in selection.analyses:
            yield analysis_record(ledger, analysis)
