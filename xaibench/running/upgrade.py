"""Bringing a folder's records up to date, so that they notice from now on what has changed."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from xaibench.explaining.analyze import analysis_record
from xaibench.results.folder import CELL_FILE, MODEL_FILE
from xaibench.results.integrity import intact_record, write_record
from xaibench.results.records import RunRecord
from xaibench.results.work_records import AnalysisRecord, CellRecord, ModelRecord
from xaibench.setup.cells import ledgers_of
from xaibench.setup.provenance import made_before
from xaibench.setup.selection import Selection

_Renewed = ModelRecord | CellRecord | AnalysisRecord


def renew(selection: Selection, run: RunRecord) -> None:
    """Write records from before there were schema numbers anew, where they still count.

    Args:
        selection: what the run is about.
        run: the folder's ``run.json`` of that time, which told for all who had made them.
    """
    made = [made_before(run)]
    for path, known in _records(selection):
        stored = intact_record(path, type(known))
        if known.schema and stored and not stored.schema:
            write_record(path, replace(known, made_by=known.made_by or made))


def _records(
    selection: Selection,
) -> Iterator[tuple[Path, _Renewed]]:
    for ledger in ledgers_of(selection):
        yield ledger.folder / MODEL_FILE, ledger.known
        for method in selection.methods:
            yield ledger.cell_folder(method) / CELL_FILE, ledger.cell_state(method).known
        for analysis in selection.analyses:
            yield analysis_record(ledger, analysis)
