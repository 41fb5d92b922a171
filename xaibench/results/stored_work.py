"""The records of a trained model and of a cell, as they lie in a run's folder."""

from dataclasses import replace
from pathlib import Path

from xaibench.core.fingerprints import checksum
from xaibench.results.folder import CELL_FILE, MODEL_FILE, SCORES_FILE
from xaibench.results.integrity import intact_record, read_record
from xaibench.results.todays_names import todays_spec, under_todays_names
from xaibench.results.work_records import AnalysisRecord, CellRecord, ModelRecord


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
    return replace(
        known,
        metrics=under_todays_names("metric", known.metrics),
        failed_metrics=under_todays_names("metric", known.failed_metrics),
    )


def read_analysis(path: Path) -> AnalysisRecord:
    """Return an analysis' record under the names that it and its model have now.

    Raises:
        XaibenchError: the record is damaged or malformed.
    """
    known = read_record(path, AnalysisRecord) or AnalysisRecord()
    analysis, model = todays_spec("analysis", known.analysis), todays_spec("model", known.model)
    return replace(known, analysis=analysis, model=model)
