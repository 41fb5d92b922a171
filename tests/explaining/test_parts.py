"""Parts: however the test images are divided, the cell is the same, and nothing is done twice."""

import errno
import gc
import json
import shutil
import tracemalloc
from threading import Event

import numpy as np
import pytest
import torch

from xaibench.core.errors import StorageError
from xaibench.core.loading import Loader
from xaibench.explaining import part_writer
from xaibench.explaining.batch import write_maps
from xaibench.explaining.part_writer import PartWriter
from xaibench.explaining.session import Session
from xaibench.running.plan import make_plan
from xaibench.running.run import run_plan
from xaibench.running.task_runner import TaskRunner
from xaibench.running.tasks import tasks_of
from xaibench.setup.jobs import Stage
from xaibench.setup.selection import select

pytestmark = pytest.mark.slow  # whole runs

METHODS = ("gradcam", "flaky", "spn")
METRICS = ("iou", "iou_tuned", "drop_in_confidence", "pxap")
TESTED, SIDE = 13, 96


@pytest.fixture(scope="module")
def given(small):
    models = ("pocket", "pocket_saliency")
    return {**small, "dataset": "phantom[images=26]", "split": "kfold:2", "models": models,
            "methods": METHODS, "metrics": METRICS, "mask_fraction": 1.0, "part_size": 7,
            "batch_size": 4}  # fmt: skip


@pytest.fixture(scope="module")
def whole(given, run_cells, tmp_path_factory):
    out = tmp_path_factory.mktemp("parts") / "out"
    assert run_cells(given, out).failures == {}
    return out


@pytest.fixture
def out(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "out")


@pytest.fixture
def trained(out):
    """Models without a single cell."""
    shutil.rmtree(out / "cells")
    return out


def scores(out):
    return sorted((out / "scores.csv").read_text("utf-8").splitlines())


def cell(out, method="gradcam", fold=0):
    return out / "cells" / "phantom-images=26" / f"kfold-2-fold{fold}" / "pocket" / "seed0" / method


def inodes(out):
    """Which files hold maps: one that is written again has another number."""
    return {path: path.stat().st_ino for path in out.rglob("maps*.npz")}


def test_there_are_maps_of_both_kinds_in_two_parts_and_scores_of_all_metrics(whole):
    names = [path.name for path in sorted(cell(whole).glob("maps*.npz"))]
    assert names == ["maps-0000-of-0002.npz", "maps-0001-of-0002.npz"]
    keys = [key for name in names for key in np.load(cell(whole) / name).files]
    assert len([key for key in keys if key.startswith("label/")]) == TESTED
    assert 0 < len([key for key in keys if key.startswith("predicted/")]) < TESTED
    assert not (cell(whole) / "parts").exists()
    # In each fold gradcam and the gray image on both models, spn on one.
    assert len(scores(whole)) == 1 + 2 * TESTED * 5 * len(METRICS)


@pytest.mark.parametrize(
    "changed",
    [
        {"part_size": 1, "batch_size": 5, "methods": METHODS[::-1]},
        {"part_size": 3, "batch_size": 16, "metrics": METRICS[::-1]},
        {"part_size": 7, "batch_size": 1, "models": ("pocket_saliency", "pocket")},
        {"part_size": 1000, "batch_size": 3, "keep_maps": False},
    ],
    ids=lambda changed: ",".join(map(str, changed)),
)
def test_no_division_and_no_order_changes_a_score(given, whole, trained, run_cells, changed):
    assert run_cells(given, trained, **changed).failures == {}
    assert scores(trained) == scores(whole)


def test_another_part_size_later_computes_nothing(given, out, plan_of, run_cells):
    before = inodes(out)
    plan = plan_of(given, out, part_size=2)
    assert (plan.jobs, plan.done) == ([], plan.cells)
    run_cells(given, out, part_size=2)
    assert inodes(out) == before


def test_a_new_metric_takes_the_maps_of_other_parts(given, whole, trained, run_cells):
    run_cells(given, trained, part_size=5, metrics=METRICS[:2])
    before = inodes(trained)
    run_cells(given, trained, part_size=3)
    assert inodes(trained) == before
    assert scores(trained) == scores(whole)


def test_of_several_files_only_the_damaged_one_is_made_again(given, whole, out, run_cells, caplog):
    before, damaged = inodes(out), cell(out, "flaky", fold=1) / "maps-0001-of-0002.npz"
    content = damaged.read_bytes()
    damaged.write_bytes(content[:100] + bytes([content[100] ^ 1]) + content[101:])
    run_cells(given, out)
    assert f"{damaged} is damaged (it differs from its checksum): it doesn't count" in caplog.text
    assert {path for path, number in inodes(out).items() if number != before[path]} == {damaged}
    assert damaged.read_bytes() == content
    assert scores(out) == scores(whole)


def test_maps_that_are_damaged_cost_all_parts_where_the_parts_are_others(
    given, whole, out, run_cells
):
    damaged = cell(out) / "maps-0000-of-0002.npz"
    damaged.write_bytes(b"")
    run_cells(given, out, part_size=5)
    names = sorted(path.name for path in cell(out).glob("maps*.npz"))
    assert names == [f"maps-000{part}-of-0003.npz" for part in range(3)]
    assert sorted(json.loads((cell(out) / "cell.json").read_text())["files"]) == names
    assert scores(out) == scores(whole)


def test_parts_that_a_killed_run_left_are_taken(given, whole, trained, run_cells):
    selection = select({**given, "out": str(trained), "part_size": 3})
    plan = make_plan(selection)
    steps = [task.payload for task in tasks_of(selection, plan.jobs)]
    run = TaskRunner(selection, plan.metrics)
    for stage in (Stage.TRAIN, Stage.EXPLAIN):
        run(next(step for step in steps if step.stage is stage), trained)
    left = inodes(trained)
    assert {path.name for path in left} == {"maps-0000-of-0005.npz"}
    run_cells(given, trained, part_size=3)
    assert left.items() <= inodes(trained).items()
    assert scores(trained) == scores(whole)


def held():
    """Return the bytes of all tensors, and of all that Python and numpy hold."""
    gc.collect()
    tensors = [thing for thing in gc.get_objects() if type(thing) is torch.Tensor]
    return tracemalloc.get_traced_memory()[0] + sum(each.nbytes for each in tensors)


def test_memory_is_flat_from_the_second_part_to_the_tenth(given, tmp_path, monkeypatch):
    changed = {"dataset": "phantom[images=200]", "split": "holdout", "train_fraction": 0.1,
               "models": ("pocket",), "methods": ("flaky",), "part_size": 2, "epochs": 1,
               "image_size": SIDE, "out": str(tmp_path)}  # fmt: skip
    selection = select({**given, **changed})
    uncached = Loader(selection.dataset, SIDE, cache_bytes=0)
    monkeypatch.setitem(selection.__dict__, "loader", uncached)
    found, commit = [], PartWriter.commit

    def noting(files):
        commit(files)
        tracemalloc.start()  # once; from here on, as it makes all slow
        found.append(held())

    monkeypatch.setattr(PartWriter, "commit", noting)
    try:
        assert run_plan(selection, make_plan(selection), "a test").failures == {}
    finally:
        tracemalloc.stop()
    assert len(found) == 10
    kept_maps = 2 * 4 * SIDE**2  # of a part
    assert max(found[2:]) - found[1] < 3 * kept_maps


def explain_in_two_batches(small, tmp_path, monkeypatch, write):
    """Explain few images, one at once, with another `write_maps`; return the run's outcome."""
    changed = {"dataset": "phantom[images=30]", "epochs": 1, "batch_size": 1}
    selection = select({**small, **changed, "out": str(tmp_path)})
    monkeypatch.setattr(part_writer, "write_maps", write)
    return run_plan(selection, make_plan(selection), "a test")


def test_maps_are_written_while_the_next_batch_is_explained(small, tmp_path, monkeypatch):
    begun, met, explain = Event(), [], Session._do
    batches = []

    def explaining(*given):
        batches.append(given)
        if len(batches) == 2:
            begun.set()
        return explain(*given)

    def writing(writer, maps):
        met.append(begun.wait(20))
        write_maps(writer, maps)

    monkeypatch.setattr(Session, "_do", explaining)
    outcome = explain_in_two_batches(small, tmp_path, monkeypatch, writing)
    assert outcome.failures == {}
    assert len(met) > 1
    assert all(met)


@pytest.mark.parametrize("lost", [1, 2])
def test_maps_that_could_not_be_written_are_told_and_never_count(
    small, tmp_path, monkeypatch, lost
):
    calls = []

    def writing(writer, maps):
        calls.append(maps)
        if len(calls) == lost:
            raise OSError(errno.ENOSPC, "No space left on device")
        write_maps(writer, maps)

    with pytest.raises(StorageError, match="No space left on device"):
        explain_in_two_batches(small, tmp_path, monkeypatch, writing)
    assert len(calls) == lost
    assert not list((tmp_path / "cells").rglob("part*.json"))
    assert not list((tmp_path / "cells").rglob("*.npz"))
