"""The tables of rows that the report is made from, gathered from all cells."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from xaibench.core.errors import XaibenchError
from xaibench.core.plugin import Bound
from xaibench.core.store import write_with
from xaibench.explaining.dependence import known_dependence
from xaibench.explaining.reproducibility import reproducibility
from xaibench.explaining.tuned import TUNED
from xaibench.results.folder import (
    COSTS_FILE,
    FIT_FILE,
    HISTORY_FILE,
    PREDICTIONS_FILE,
    REPRODUCIBILITY_FILE,
    ROWS_FILES,
    SCORES_FILE,
    Place,
)
from xaibench.results.seal import check_seal, seal
from xaibench.results.tables import (
    FIT_COSTS,
    REPRODUCIBILITY,
    named_as_now,
    read_table,
    stored_table,
)
from xaibench.results.work_records import DependenceRecord
from xaibench.running.plan import Plan
from xaibench.setup.cells import Ledger, ledgers_of
from xaibench.setup.fits import fit_of
from xaibench.setup.selection import Selection

_VALUES_AT_ONCE = 50_000
SCORE_COLUMNS = [*Place._fields, "method", "sample", "metric", "value", "status", "target"]


def load_scores(out: str | Path) -> pd.DataFrame:
    """Read a run's scores: one row for each cell, sample and metric.

    Args:
        out: the run's folder.

    Raises:
        XaibenchError: the folder holds no ``scores.csv``.
    """
    path = stored_table(Path(out) / SCORES_FILE)
    if not path.is_file():
        raise XaibenchError(f"{path}: no such file; name the --out folder of a finished run.")
    list(check_seal(path.parent))
    return read_table(path)


def collect_tables(selection: Selection, plan: Plan) -> None:
    """Write ``scores.csv``, ``predictions.csv`` and ``costs.csv`` from all cells that hold.

    Also ``reproducibility.csv``, where several trainings explain the same images.
    """
    out = selection.layout.out
    _write_frames(out / SCORES_FILE, _score_frames(selection, plan), SCORE_COLUMNS)
    _write_frames(out / PREDICTIONS_FILE, _prediction_frames(selection), list(Place._fields))
    _write_frames(out / COSTS_FILE, _cost_frames(selection), [*Place._fields, "method"])
    alike = reproducibility(selection)
    if len(alike):
        _write_frames(out / REPRODUCIBILITY_FILE, iter([alike]), REPRODUCIBILITY)
    else:
        (out / REPRODUCIBILITY_FILE).unlink(missing_ok=True)
    seal_run(selection)


def seal_run(selection: Selection) -> None:
    """Seal what a report is made from: ``run.json``, the tables of rows, splits and histories."""
    layout, ledgers = selection.layout, list(ledgers_of(selection))
    splits = dict.fromkeys(layout.split_file(ledger.place) for ledger in ledgers)
    histories = [ledger.folder / HISTORY_FILE for ledger in ledgers if ledger.model_is_trained()]
    tables = [layout.out / name for name in ROWS_FILES]
    fits = [fit_of(ledger, m) for ledger in ledgers for m in selection.methods if m.plugin.fit]
    tables += [state.folder / FIT_FILE for state in fits if state.holds]
    files = [path for path in [*tables, *splits, *histories] if path.is_file()]
    # The model of a submission is another run's, and is sealed there.
    seal(layout.out, [path for path in files if path.is_relative_to(layout.out)])


def _score_frames(selection: Selection, plan: Plan) -> Iterator[pd.DataFrame]:
    wanted = [metric.spec for metric in plan.metrics]
    for ledger in ledgers_of(selection):
        for method in selection.methods:
            state = ledger.cell_state(method)
            if not state.scored:
                continue
            held = [spec for spec in wanted if spec in state.scored]
            for frame in map(named_as_now, _read(ledger.cell_folder(method) / SCORES_FILE)):
                rows = frame[frame["metric"].isin(held)].assign(method=method.spec)
                yield _with_keys(ledger, rows)[SCORE_COLUMNS]


def _prediction_frames(selection: Selection) -> Iterator[pd.DataFrame]:
    for ledger in ledgers_of(selection):
        path = ledger.folder / PREDICTIONS_FILE
        # Those of another recipe stay where a training failed; they tell nothing of this run.
        if ledger.model_is_trained():
            for frame in _read(path):
                yield _with_keys(ledger, frame)


def _cost_frames(selection: Selection) -> Iterator[pd.DataFrame]:
    for ledger in ledgers_of(selection):
        rows = [
            {"method": method.spec}
            | {**state.known.costs, TUNED: state.known.tuned_threshold}
            | _fit_costs(ledger, method)
            | (known_dependence(state) or DependenceRecord()).figures
            for method in selection.methods
            if (state := ledger.cell_state(method)).fits
        ]
        if rows:
            yield _with_keys(ledger, pd.DataFrame(rows))


def _fit_costs(ledger: Ledger, method: Bound) -> dict[str, float | None]:
    """Return what a method's fit took for a trained model; nothing where it has none."""
    known = fit_of(ledger, method).known if method.plugin.fit else None
    values = (known.seconds, known.forwards) if known else (None, None)
    return dict(zip(FIT_COSTS, values, strict=True))


def _read(path: Path) -> Iterator[pd.DataFrame]:
    """Read a table in pieces, as it may be larger than memory; as text, so that nothing changes."""
    columns = len(pd.read_csv(path, nrows=0).columns)  # a thousand, where classes are as many
    rows = max(_VALUES_AT_ONCE // columns, 1)
    with pd.read_csv(path, dtype=str, keep_default_na=False, chunksize=rows) as pieces:
        yield from pieces


def _with_keys(ledger: Ledger, frame: pd.DataFrame) -> pd.DataFrame:
    keys = pd.DataFrame([ledger.place] * len(frame), index=frame.index)
    return pd.concat([keys, frame], axis=1)


def _write_frames(path: Path, frames: Iterator[pd.DataFrame], columns: list[str]) -> None:
    def write(file: Any) -> None:
        first = True
        for frame in frames:
            frame.to_csv(file, index=False, header=first, lineterminator="\n")
            first = False
        if first:
            pd.DataFrame(columns=columns).to_csv(file, index=False)

    write_with(path, write)
