"""Locks where there are none, and records that a killed run left between two files."""

import errno
import fcntl

import pandas as pd
import pytest

from xaibench.executors.schedule import Busy
from xaibench.results.integrity import parse_record, read_record, write_record
from xaibench.results.stored_work import read_cell
from xaibench.results.work_records import CellRecord
from xaibench.running.cleanup import clear
from xaibench.running.locks import locked, registered
from xaibench.running.retry import clear_failures
from xaibench.setup.selection import select


def test_a_claim_keeps_others_out_until_it_ends(tmp_path):
    with locked(tmp_path, "a"):
        with pytest.raises(Busy), locked(tmp_path, "a"):
            pass
        with locked(tmp_path, "b"):
            pass
    with locked(tmp_path, "a"):
        pass


def test_where_there_are_no_locks_nobody_is_kept_out_and_it_is_said_once(
    tmp_path, monkeypatch, caplog
):
    def refuse(*_):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", refuse)
    cleared = []
    for _ in range(2):
        with (
            registered(tmp_path, lambda: cleared.append(1)),
            locked(tmp_path, "a"),
            locked(tmp_path, "a"),
        ):
            pass
    assert cleared == [1, 1]
    folders = [line.partition(": no file locks here;")[0] for line in caplog.messages]
    assert folders == [str(tmp_path / "locks" / "runs"), str(tmp_path / "locks")]


def test_what_was_coming_when_a_run_was_killed_counts_if_its_scores_are_there(
    small, run_cells, tmp_path
):
    run_cells(small, tmp_path)
    (path,) = tmp_path.rglob("cell.json")
    record = read_record(path, dict)
    coming = {**record, "failed_metrics": {"road": {"error": "x", "made_from": "y"}}}
    write_record(path, {**record, "metrics": {}, "next": coming})
    assert read_cell(path.parent) == parse_record(coming, CellRecord, path)

    joined = path.parent / "parts" / "0000-of-0001" / "part.json"
    write_record(joined, {name: record[name] for name in ("maps", "metrics", "files")})
    clear(tmp_path)
    assert not joined.parent.parent.exists()

    clear_failures(select({**small, "out": str(tmp_path)}))
    assert read_cell(path.parent) == parse_record(
        {**record, "failed_metrics": {}}, CellRecord, path
    )

    write_record(path, {**record, "next": {**coming, "scores_sha256": "other"}})
    assert read_cell(path.parent).failed_metrics == {}


@pytest.mark.slow
def test_a_threshold_of_another_model_is_not_told(small, run_cells, tmp_path):
    given = {**small, "mask_fraction": 1.0, "metrics": ("iou", "iou_tuned")}
    run_cells(given, tmp_path)
    assert pd.read_csv(tmp_path / "costs.csv")["tuned_threshold"].notna().all()
    run_cells(given, tmp_path, epochs=1, metrics=("iou",))
    assert pd.read_csv(tmp_path / "costs.csv")["tuned_threshold"].isna().all()
