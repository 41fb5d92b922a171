"""Letting what has failed try again."""

from xaibench.explaining.parts import failure_of
from xaibench.results.folder import CELL_FILE
from xaibench.results.integrity import write_record
from xaibench.setup.cells import ledgers_of
from xaibench.setup.selection import Selection

_FAILURES = frozenset({"error", "failed", "failed_metrics"})


def clear_failures(selection: Selection) -> None:
    """Forget the failures of all cells; the scores that hold stay."""
    for ledger in ledgers_of(selection):
        for method in selection.methods:
            state = ledger.cell_state(method)
            failure_of(state).forget()
            folder, known = ledger.cell_folder(method), state.known
            if any(known.get(name) for name in _FAILURES):
                left = {k: v for k, v in known.items() if k not in _FAILURES}
                write_record(folder / CELL_FILE, left)
