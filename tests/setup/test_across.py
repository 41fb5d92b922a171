"""Trained on one dataset, tested on another."""

import csv

import numpy as np
import pytest
from PIL import Image

import xaibench
from xaibench.core.errors import XaibenchError
from xaibench.core.store import read_json
from xaibench.datasets.across import across
from xaibench.running.plan import make_plan
from xaibench.setup.selection import select


def images_in(place, names, count, size=(20, 28)):
    random = np.random.default_rng(count)
    for level, name in enumerate(names):
        (place / name).mkdir(parents=True)
        for number in range(count):
            pixels = random.normal(80 + 60 * level, 20, size).clip(0, 255).astype(np.uint8)
            mask = np.zeros(size, np.uint8)
            mask[3:9, 5:16] = 255
            Image.fromarray(pixels).save(place / name / f"{number}.png")
            Image.fromarray(mask).save(place / name / f"{number}_mask.png")
    return f"folder[path={place}]"


@pytest.fixture
def both(tmp_path):
    return {
        "train": images_in(tmp_path / "A", ("low", "high"), 12),
        "test": images_in(tmp_path / "B", ("dark", "bright", "other"), 5, (24, 16)),
    }


def test_classes_are_paired_and_ids_kept_apart(both, tmp_path):
    pairs = ("high=bright", "low=dark")
    found = across(tmp_path, **both, classes=pairs)
    assert found.classes == ("high", "low")
    assert len(found.apart) == 10
    moved = next(s for s in found.samples if s.id == "folder:bright/3")
    assert (moved.label, moved.path.parent.name) == (0, "bright")
    assert found.read(moved).mask.shape == (24, 16)
    assert "5 images of" in found.notes[-1]
    same = across(tmp_path, train=both["train"], test=both["train"])
    assert len(same.samples) == 48


@pytest.mark.parametrize(
    ("classes", "said"),
    [
        ((), "don't fit those of .* there is no 'high'"),
        (("high=bright", "low=nobody"), "there is no 'nobody'"),
        (("high=bright", "tall=dark"), "there is no 'tall'"),
        (("high=bright",), "aren't those of"),
        (("high",), "write pairs"),
    ],
)
def test_classes_that_do_not_fit(both, tmp_path, classes, said):
    with pytest.raises(XaibenchError, match=said):
        across(tmp_path, **both, classes=classes)


def test_test_classes_need_another_dataset():
    with pytest.raises(XaibenchError, match="--test-classes goes with --test-dataset"):
        select({"test_classes": "a=b"})


@pytest.mark.slow
def test_a_run_tests_on_the_other_dataset_and_trains_once(both, settings, run_cells, tmp_path):
    given = {**settings, "models": ("pocket",), "methods": ("gradcam",), "metrics": ("iou",),
             "controls": False, "split": "kfold:2", "seeds": (0,), "epochs": 1,
             "dataset": both["train"], "test_dataset": both["test"],
             "test_classes": ("high=bright", "low=dark")}  # fmt: skip
    out = tmp_path / "out"
    assert run_cells(given, out).failures == {}
    selection = select({**given, "out": str(out)})
    apart = selection.dataset.apart
    for fold in (0, 1):
        split = selection.split(fold)
        assert {sample.id for sample in split.test} == apart
        assert not apart & {sample.id for sample in (*split.train, *split.validation)}
    scores = xaibench.load_scores(out)
    assert set(scores["sample"]) == apart
    assert len(scores) == 20
    run = read_json(out / "run.json")
    assert run["protocol"]["test_dataset"] == both["test"]
    assert run["dataset"].startswith("across[")
    file = tmp_path / "B" / "dark" / "0.png"
    Image.fromarray(255 - np.asarray(Image.open(file))).save(file)
    before = {path: path.read_bytes() for path in out.rglob("model.pt")}
    again = make_plan(select({**given, "out": str(out)}))
    assert (again.cells, again.done) == (2, 0)
    run_cells(given, out)
    assert "train pocket" not in (out / "run.log").read_text("utf-8").rpartition("begin:")[2]
    assert {path: path.read_bytes() for path in before} == before
    (predictions,) = (out).glob("predictions.csv")
    with predictions.open(encoding="utf-8") as table:
        assert {row["sample"] for row in csv.DictReader(table)} == apart
