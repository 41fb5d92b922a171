"""A method that kills its worker, by an executor that loses the same tasks at once."""

import json
from types import SimpleNamespace

import pandas as pd
import pytest

from xaibench.executors.schedule import Queue, WorkerCrashError
from xaibench.running import run as running


@pytest.fixture
def deadly(monkeypatch):
    """Return which tasks were lost: those that ask ``sobel``, while it is said to be deadly."""
    lost = []

    def execute(do, tasks, resources):
        queue = Queue(tasks)
        while queue.is_open:
            task = queue.take()
            job = task.payload.job
            if task.payload.stage == "explain" and "sobel" in job.methods:
                lost.append(job.methods)
                yield from queue.settle(task, None, WorkerCrashError("its process died"))
            else:
                yield from queue.settle(task, do(task.payload, resources.out))

    monkeypatch.setattr(running, "EXECUTORS", SimpleNamespace(load=lambda _: execute))
    return lost


@pytest.mark.slow
def test_only_the_method_that_kills_its_worker_fails(
    small, run_cells, tmp_path, deadly, monkeypatch
):
    given = {**small, "methods": ("gradcam", "sobel", "gradient"), "part_size": 3}
    outcome = run_cells(given, tmp_path)
    reason = "its process died"
    assert outcome.failures == {"sobel on pocket, fold 0, seed 0": reason}
    # Both parts at first; then it failed at one, which is enough.
    assert {len(methods) for methods in deadly} == {3, 1}
    (record,) = tmp_path.glob("cells/**/sobel/cell.json")
    assert json.loads(record.read_text("utf-8"))["error"] == reason
    assert set(pd.read_csv(tmp_path / "scores.csv")["method"]) == {"gradcam", "gradient"}

    deadly.clear()
    assert run_cells(given, tmp_path).failures == outcome.failures
    assert deadly == []  # it isn't asked again
    monkeypatch.undo()
    assert run_cells(given, tmp_path, retry_failed=True).failures == {}
    assert set(pd.read_csv(tmp_path / "scores.csv")["method"]) == {"gradcam", "gradient", "sobel"}
