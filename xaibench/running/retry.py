"""Letting what has failed try again."""

from dataclasses import replace

from xaibench.explaining.parts import failure_of
from xaibench.results.folder import CELL_FILE
from xaibench.results.integrity import write_record
from xaibench.setup.cells import ledgers_of
from xaibench.setup.selection import Selection


def clear_failures(selection: Selection) -> None:
    """Forget the failures of all cells; the scores that hold stay."""
    for ledger in ledgers_of(selection):
        for method in selection.methods:
            state = ledger.cell_state(method)
            failure_of(state).forget()
            folder, known = ledger.cell_folder(method), state.known
            if known.error or known.failed or known.failed_metrics:
                left = replace(known, error=None, failed=None, skipped=None, failed_metrics={})
                write_record(folder / CELL_FILE, left)
