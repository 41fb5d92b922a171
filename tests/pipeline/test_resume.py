import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest
import torch

from xaibench.core.store import temporary_path

WAIT = 120


@pytest.fixture(scope="module")
def given(small):
    return {**small, "models": ("pocket_saliency", "pocket"), "methods": ("dawdling", "gradcam"),
            "epochs": 6, "batch_size": 1}  # fmt: skip


@pytest.fixture(scope="module")
def resume(given, run_cells):
    def run(out, **changed):
        run_cells(given, out, **changed)

    return run


@pytest.fixture(scope="module")
def whole(resume, tmp_path_factory):
    """The run that nothing disturbed."""
    out = tmp_path_factory.mktemp("whole") / "out"
    resume(out)
    return out


@pytest.fixture
def out(whole, tmp_path):
    """A copy of it, to be damaged."""
    return shutil.copytree(whole, tmp_path / "out")


def start(given, out, **environment):
    listed = {name: ",".join(map(str, value)) for name, value in given.items()
              if isinstance(value, tuple) and name != "plugin"}  # fmt: skip
    options = {**given, **listed, "out": out}
    command = [sys.executable, "-m", "xaibench", "run", "--no-controls"]
    for name, value in options.items():
        if name == "plugin":
            command += ["--plugin", value[0]]
        elif name != "controls":
            command += [f"--{name.replace('_', '-')}", str(value)]
    return subprocess.Popen(
        command,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def kill_when(process, reached):
    deadline = time.monotonic() + WAIT
    while not reached():
        assert process.poll() is None, process.stderr.read().decode()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    process.stderr.close()


def folder(out, model, kind="models"):
    return out / kind / "phantom-images=48" / "holdout" / model / "seed0"


def assert_same(out, whole):
    for model in ("pocket", "pocket_saliency"):
        mine, other = (torch.load(folder(o, model) / "model.pt") for o in (out, whole))
        assert mine.keys() == other.keys()
        assert all(torch.equal(mine[name], other[name]) for name in mine)
        histories = [
            pd.read_csv(folder(o, model) / "history.csv").drop(columns="seconds")
            for o in (out, whole)
        ]
        pd.testing.assert_frame_equal(*histories, check_exact=True)
    mine, other = ((o / "scores.csv").read_text("utf-8").splitlines() for o in (out, whole))
    assert sorted(mine) == sorted(other)
    left = [p for p in out.rglob("*") if p.name.endswith(".tmp") or p.name == "checkpoint.pt"]
    assert left == []


@pytest.fixture(scope="module")
def killed_in_training(given, tmp_path_factory):
    """Killed in the second model's training, after its first epochs; read only."""
    out = tmp_path_factory.mktemp("training") / "out"
    history = folder(out, "pocket") / "history.csv"
    kill_when(start(given, out, POCKET_SLEEP="0.3"), history.is_file)
    assert len(pd.read_csv(history)) < given["epochs"]
    assert not (folder(out, "pocket") / "model.pt").exists()
    return out


@pytest.fixture
def interrupted(killed_in_training, tmp_path):
    return shutil.copytree(killed_in_training, tmp_path / "interrupted")


def test_a_run_killed_in_training_goes_on_to_the_same_result(
    given, whole, interrupted, resume, caplog
):
    done = len(pd.read_csv(folder(interrupted, "pocket") / "history.csv"))
    with caplog.at_level("INFO", "xaibench"):
        resume(interrupted)
    trained = [m for m in caplog.messages if m.startswith("pocket, ") and "epoch" in m]
    assert len(trained) == given["epochs"] - done
    assert_same(interrupted, whole)


def test_a_truncated_checkpoint_starts_training_anew(whole, interrupted, resume):
    cut(folder(interrupted, "pocket") / "checkpoint.pt")
    resume(interrupted)
    assert_same(interrupted, whole)


def test_a_checkpoint_of_other_options_is_not_taken(interrupted, resume, tmp_path):
    resume(interrupted, learning_rate=0.01)
    resume(tmp_path / "fresh", learning_rate=0.01)
    assert_same(interrupted, tmp_path / "fresh")


def test_a_run_killed_in_explaining_goes_on_to_the_same_result(given, whole, resume, tmp_path):
    mark = tmp_path / "mark"
    out = tmp_path / "out"
    process = start(given, out, DAWDLE=str(mark))
    kill_when(process, lambda: mark.is_file() and mark.stat().st_size > 2)
    cell = folder(out, "pocket_saliency", "cells") / "dawdling"
    files = [path for path in cell.rglob("*") if path.is_file()]
    assert [path.suffix for path in files] == [".tmp", ".tmp"]
    resume(out)
    assert_same(out, whole)


def test_temporary_files_of_a_running_process_are_left_alone(out, resume):
    theirs = temporary_path(folder(out, "pocket", "cells") / "gradcam" / "maps.npz")
    theirs = theirs.with_name(theirs.name.replace(str(os.getpid()), str(os.getppid())))
    theirs.touch()
    resume(out)
    assert theirs.exists()


def cut(path):
    os.truncate(path, path.stat().st_size // 2)


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def spoil(path):
    path.write_text('{"method": "gradcam", ', "utf-8")


def empty(path):
    path.write_bytes(b"")


def remove(path):
    path.unlink()


def replace_by_a_list(path):
    path.write_text(json.dumps([1, 2]), "utf-8")


@pytest.mark.parametrize("damage", [cut, flip, empty, remove], ids=lambda f: f.__name__)
@pytest.mark.parametrize(
    "name", ["cells:gradcam/maps.npz", "cells:gradcam/scores.csv", "models:model.pt",
             "models:predictions.csv"]
)  # fmt: skip
def test_damaged_results_are_made_again(whole, out, resume, name, damage):
    kind, _, path = name.partition(":")
    damage(folder(out, "pocket", kind) / path)
    resume(out)
    assert_same(out, whole)


@pytest.mark.parametrize("damage", [spoil, empty, remove, replace_by_a_list],
                         ids=lambda f: f.__name__)  # fmt: skip
@pytest.mark.parametrize("name", ["cells:gradcam/cell.json", "models:model.json"])
def test_a_damaged_record_is_made_again(whole, out, resume, name, damage):
    kind, _, path = name.partition(":")
    damage(folder(out, "pocket", kind) / path)
    resume(out)
    assert_same(out, whole)
    original, made_again = (
        json.loads((folder(o, "pocket", kind) / path).read_text("utf-8")) for o in (whole, out)
    )
    for record in (original, made_again):
        for cost in ("seconds_per_image", "peak_memory_mb"):
            record.pop(cost, None)
    assert made_again == original


def test_damage_to_one_cell_leaves_the_others_alone(out, resume):
    cells = folder(out, "pocket", "cells")
    flip(cells / "gradcam/maps.npz")
    before = (cells / "dawdling/cell.json").stat()
    resume(out)
    after = (cells / "dawdling/cell.json").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
