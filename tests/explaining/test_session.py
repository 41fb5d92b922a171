"""One walk over images: whoever asks a method, its faults have the same consequences."""

import ast
import errno
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import xaibench
from xaibench.core.errors import OutOfMemoryError, StorageError, XaibenchError
from xaibench.core.explanation import PictureFile
from xaibench.core.maps import NON_FINITE
from xaibench.core.registry import bind, plugins
from xaibench.diagnostics.subject import open_subject
from xaibench.explaining.explain_files import PictureExplainer
from xaibench.explaining.stored_model import model_of_run
from xaibench.setup.selection import select
from xaibench.submission.score import score_submission
from xaibench.submission.setting import setting_of_options

PACKAGE = Path(xaibench.__file__).parent
METHODS = ("faulty", "gray")
PLUGIN = '''
"""A method that does what it is told, and one that always explains."""

from torch import Tensor

import xaibench


@xaibench.method(family="control")
def faulty(images: Tensor) -> Tensor:
    """Return the first channel, or what the fault makes of it."""
    return faulty.fault(images[:, 0])


@xaibench.method(family="control")
def gray(images: Tensor) -> Tensor:
    """Return the mean channel."""
    return images.mean(dim=1)


faulty.fault = lambda maps: maps
'''


def raising(error):
    def fault(_):
        raise error

    return fault


def hide_an_interruption(_):
    raise ValueError("cracked") from KeyboardInterrupt()


KEPT = {
    "raises": (raising(ValueError("cracked")), "cracked"),
    "refuses": (raising(XaibenchError("it takes no such images.")), "it takes no such images"),
    "gives NaN": (lambda maps: maps * torch.nan, "nothing but NaN"),
    "gives another shape": (lambda maps: maps[:, 0], r"it must return \("),
    "gives no tensor": (lambda maps: maps.tolist(), "returned list"),
}
PASSED_ON = {
    "memory": (raising(MemoryError()), OutOfMemoryError),
    "memory of torch": (raising(torch.OutOfMemoryError("CUDA out of memory.")), OutOfMemoryError),
    "interrupted": (raising(KeyboardInterrupt()), KeyboardInterrupt),
    "interrupted within": (hide_an_interruption, KeyboardInterrupt),
    "full disk": (raising(OSError(errno.ENOSPC, "No space left on device")), StorageError),
}


@pytest.fixture(scope="module")
def given(small, tmp_path_factory):
    file = tmp_path_factory.mktemp("plugins") / "faulty_method.py"
    file.write_text(PLUGIN, "utf-8")
    return {**small, "dataset": "phantom[images=24]", "plugin": (*small["plugin"], str(file)),
            "methods": METHODS, "metrics": ("hit_rate",), "epochs": 1}  # fmt: skip


@pytest.fixture(scope="module")
def done(given, run_cells, tmp_path_factory):
    """A finished run of both methods."""
    out = tmp_path_factory.mktemp("done") / "out"
    assert run_cells(given, out).failures == {}
    return out


@pytest.fixture
def out(done, tmp_path):
    return shutil.copytree(done, tmp_path / "out")


def by_a_run(given, out, run_cells):
    shutil.rmtree(out / "cells")
    failures = run_cells(given, out).failures
    assert len(xaibench.load_scores(out).query("method == 'gray'"))
    return " ".join(failures.values())


def by_an_explainer(given, out, run_cells):
    selection = select({**given, "out": str(out)})
    images = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    model = selection.build(selection.models[0], seed=0)
    maps = xaibench.Explainer(model)(images, 0, METHODS)
    assert maps["gray"].shape == (3, 32, 32)
    with pytest.raises(XaibenchError) as caught:
        maps["faulty"]
    return str(caught.value)


def by_explaining_files(given, out, run_cells):
    path = out / "picture.png"
    Image.fromarray(np.arange(40 * 30 * 3, dtype=np.uint8).reshape(40, 30, 3)).save(path)
    methods = [bind("method", name) for name in METHODS]
    explainer = PictureExplainer(model_of_run(out, "", None, None, plugins_of(given)), methods,
                                 "predicted")  # fmt: skip
    (found,) = explainer([PictureFile("picture", path)])
    assert found.answers["gray"].heat.shape == (40, 30)
    status = found.answers["faulty"].status
    return "nothing but NaN" if status == NON_FINITE else status


def by_a_submission(given, out, run_cells):
    selection = select({**given, "out": str(out)})
    maps = {sample.id: np.eye(5, dtype=np.float32) for sample in selection.dataset.samples}
    np.savez(out / "mine.npz", **maps)
    kept = {name: given[name] for name in ("dataset", "split", "metrics", "image_size", "device")}
    chosen = {**kept, **plugins_of(given), "out": str(out / "scored"), "controls": True}
    scored = score_submission(setting_of_options(chosen, "", None, None), out / "mine.npz", {}, "-")
    assert {"mine", "gray"} <= set(xaibench.load_scores(scored.out)["method"])
    return " ".join(scored.failures.values())


def by_a_diagnosis(given, out, run_cells):
    selection = select({**given, "out": str(out)})
    subject = open_subject(selection, selection.models[0], selection.methods, 4)
    found = subject.maps_of(subject.model)
    assert found["gray"].values.shape[1:] == (32, 32)
    maps = found["faulty"]
    if isinstance(maps, str):
        return maps
    return "nothing but NaN" if set(maps.statuses) == {NON_FINITE} else ""


def plugins_of(given):
    return {"plugin": given["plugin"]}


DOORS = [by_a_run, by_an_explainer, by_explaining_files, by_a_submission, by_a_diagnosis]


@pytest.fixture
def break_it(done, monkeypatch):
    def break_by(fault):
        monkeypatch.setattr(plugins("method")["faulty"].function, "fault", fault)

    return break_by


@pytest.mark.slow
@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__)
def test_a_methods_own_fault_costs_its_maps_alone_and_is_told(
    door, given, out, run_cells, break_it, tmp_path
):
    for number, (fault, said) in enumerate(KEPT.values()):
        break_it(fault)
        copy = shutil.copytree(out, tmp_path / str(number))
        assert re.search(said, door(given, copy, run_cells))


@pytest.mark.slow
@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__)
def test_what_is_no_methods_fault_ends_the_walk(door, given, out, run_cells, break_it, tmp_path):
    for number, (fault, error) in enumerate(PASSED_ON.values()):
        break_it(fault)
        copy = shutil.copytree(out, tmp_path / str(number))
        with pytest.raises(error):
            door(given, copy, run_cells)
        assert not list(copy.rglob("failure.json"))  # nothing to be forgotten later


def only_few(most):
    def fault(maps):
        if len(maps) > most:
            raise MemoryError
        return maps

    return fault


def test_fewer_images_at_once_are_tried_where_no_option_says_how_many(given, out, break_it):
    selection = select({**given, "out": str(out)})
    images = torch.rand(5, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    explainer = xaibench.Explainer(selection.build(selection.models[0], seed=0))
    whole = explainer(images, 0, METHODS)
    break_it(only_few(2))
    halved = explainer(images, 0, METHODS)
    assert all(torch.equal(halved[name], whole[name]) for name in METHODS)
    files = [PictureFile(str(row), out / f"{row}.png") for row in range(3)]
    for row, file in enumerate(files):
        Image.fromarray(np.full((40, 30, 3), 80 * row, np.uint8)).save(file.path)
    break_it(only_few(1))
    methods = [bind("method", name) for name in METHODS]
    found = PictureExplainer(model_of_run(out, "", None, None, plugins_of(given)), methods, "0")
    assert [each.file.name for each in found(files)] == ["0", "1", "2"]
    assert found.failures == {}


@pytest.mark.slow
def test_nobody_else_records_a_pass_asks_a_method_or_finishes_its_maps():
    """Beside the core, plugins, whose word for it is another, and `xaibench check`, which tries."""
    words = {"record", "question_for", "Tape", "Question", "finish"}
    callers = set()
    for path in PACKAGE.rglob("*.py"):
        place = path.relative_to(PACKAGE)
        if place.parts[0] not in ("checks", "core", "methods"):
            tree = ast.parse(path.read_text("utf-8"))
            calls = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
            found = {call.id for call in calls if isinstance(call, ast.Name)} & words
            callers |= {(place.as_posix(), name) for name in found}
    assert callers == {
        ("explaining/session.py", "record"),
        ("explaining/questions.py", "Tape"),
        ("explaining/session.py", "question_for"),
        ("explaining/questions.py", "Question"),
        ("explaining/batch.py", "finish"),
        ("diagnostics/blind_maps.py", "finish"),  # of no method
        ("diagnostics/court.py", "finish"),  # of no method
        ("explaining/reproducibility.py", "finish"),  # stored maps
        ("submission/entry.py", "finish"),  # one map of a file
        ("report/pictures/stored.py", "finish"),  # one stored map
    }
