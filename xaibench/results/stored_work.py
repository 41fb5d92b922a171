"""The records of a trained model and of a cell, as they lie in a run's folder."""

from dataclasses import replace
from pathlib import Path

from xaibench.core.aliases import renamed
from xaibench.core.fingerprints import checksum
from xaibench.core.registry import plugins
from xaibench.results.folder import CELL_FILE, MODEL_FILE, SCORES_FILE
from xaibench.results.integrity import intact_record
from xaibench.results.work_records import CellRecord, ModelRecord


def stored_model(folder: Path) -> ModelRecord:
    """Return a trained model's record; empty where there is none."""
    return intact_record(folder / MODEL_FILE, ModelRecord) or ModelRecord()


def read_cell(folder: Path) -> CellRecord:
    """Return the record that goes with a cell's scores; empty where there is none.

    Metrics have the names that they have now.
    """
    known = intact_record(folder / CELL_FILE, CellRecord) or CellRecord()
    coming = known.next
    if coming and coming.scores_sha256 == checksum(folder / SCORES_FILE):
        known = coming  # the process ended between the scores and their record
    now = renamed(plugins("metric"), [*known.metrics, *known.failed_metrics])
    metrics = {now.get(spec, spec): made for spec, made in known.metrics.items()}
    failed = {now.get(spec, spec): why for spec, why in known.failed_metrics.items()}
    return replace(known, metrics=metrics, failed_metrics=failed) if now else known
