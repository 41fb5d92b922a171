"""What counts as changed: the content of every file, options, code; and the plan says which."""

import csv
import os

import numpy as np
import pytest
from PIL import Image

from xaibench.core.passes import processor
from xaibench.core.plugin import Bound
from xaibench.core.registry import bind
from xaibench.results.integrity import read_record, write_record
from xaibench.results.records import RunRecord
from xaibench.running.describe_plan import describe_plan
from xaibench.running.upgrade import renew
from xaibench.setup import earlier as earlier_records
from xaibench.setup.cells import Ledger
from xaibench.setup.made_from import data_parts, files_of, model_parts, tell_difference
from xaibench.setup.selection import select

SHAPE = (9, 14)
SMALL = {"models": ("gap_cnn",), "methods": ("gradcam",), "metrics": ("iou",), "seeds": (3,),
         "weights": "none", "device": "cpu", "controls": False, "image_size": 64}  # fmt: skip


@pytest.fixture
def images(tmp_path):
    """Two classes of bitmaps with masks, whose size doesn't depend on what they show."""
    for label in ("cat", "dog"):
        for number in range(11):
            folder = tmp_path / "set" / label
            folder.mkdir(parents=True, exist_ok=True)
            pixels = np.random.default_rng(number).integers(0, 255, SHAPE, np.uint8)
            Image.fromarray(pixels).save(folder / f"{number}.bmp")
            mask = np.zeros(SHAPE, np.uint8)
            mask[:3, : number % 5 + 1] = 255
            Image.fromarray(mask).save(folder / f"{number}_mask.bmp")
    return tmp_path / "set"


def parts_of(images, **options):
    return data_parts(select({**SMALL, "dataset": f"folder[path={images}]", **options}), 0, 3)


def told(images, before, **options):
    return tell_difference(before, parts_of(images, **options))


def turn(file):
    about = file.stat()
    with Image.open(file) as picture:
        turned = picture.rotate(180)
    turned.save(file)
    assert file.stat().st_size == about.st_size
    os.utime(file, ns=(about.st_atime_ns, about.st_mtime_ns))


@pytest.mark.parametrize(("name", "what"), [("7", "images"), ("7_mask", "masks")])
def test_a_file_turned_in_place_shows(images, name, what):
    before = parts_of(images)
    turn(images / "dog" / f"{name}.bmp")
    assert told(images, before) == f"other {what}"


def test_two_images_that_change_places_show(images):
    before = parts_of(images)
    one, other = images / "cat" / "1.bmp", images / "cat" / "2.bmp"
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)
    assert told(images, before) == "other images"


def test_a_copy_elsewhere_with_other_times_is_the_same(images, tmp_path):
    before = parts_of(images)
    for file in images.rglob("*.bmp"):
        os.utime(file, (1, 1))
    assert told(images, before) == ""
    moved = images.rename(tmp_path / "moved")
    assert told(moved, before).startswith("dataset folder[path=")


def test_a_group_shows(images, tmp_path):
    before = parts_of(images)
    with (tmp_path / "groups.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("sample", "group"), ("cat/1", "a"), ("cat/2", "a")])
    assert "other groups" in told(images, before, groups=str(tmp_path / "groups.csv"))


def test_a_file_that_an_option_names_counts_by_its_content(tmp_path):
    file = tmp_path / "reference.npy"
    file.write_bytes(b"one")
    method = Bound(bind("method", "gradcam").plugin, {"reference": str(file), "layers": "x"})
    before = files_of(method)
    file.write_bytes(b"two")
    assert list(before) == ["reference"]
    assert files_of(method) != before


def test_options_are_told_with_both_values(images):
    selection, other = (
        select({**SMALL, "dataset": "phantom[images=40]", "epochs": epochs, "augmentation": chosen})
        for epochs, chosen in ((2, ("crop",)), (3, ("crop", "rotation")))
    )
    one, two = (model_parts(each, 0, each.models[0], 3) for each in (selection, other))
    assert tell_difference(one, two) == "epochs 2 before, 3 now, other augmentation"


def test_a_wrapped_library_counts_for_its_adapters_alone(monkeypatch):
    selection = select({**SMALL, "dataset": "phantom[images=40]", "methods": ("gradcam", "captum")})
    ledger = Ledger(selection, 0, selection.models[0], 3)
    before = [ledger.maps_fingerprint(method) for method in selection.methods]
    monkeypatch.setattr("xaibench.setup.made_from.version", lambda name: f"{name} 99")
    after = [ledger.maps_fingerprint(method) for method in selection.methods]
    assert [one == other for one, other in zip(before, after, strict=True)] == [True, False]


def test_fingerprints_of_earlier_records_come_out_as_they_did(monkeypatch):
    """The values were printed by the last version whose records had no schema number."""
    selection = select({**SMALL, "dataset": "phantom[images=40]", "split": "kfold:2", "epochs": 2,
                        "methods": ("gradcam", "captum"), "metrics": ("iou", "road"),
                        "models": ("gap_cnn", "saliency_net"), "out": "/nowhere",
                        "recipe": "published", "learning_rate": 5e-4})  # fmt: skip
    place = selection, 1, selection.models[0], 3
    assert Ledger(*place).earlier.model == ""  # its layers was in another order then
    monkeypatch.setattr(earlier_records, "_REBUILT", frozenset())
    earlier = Ledger(*place).earlier
    gradcam, captum = selection.methods
    iou, road = selection.metrics
    assert earlier.model == "79416b67456bce92"
    assert [earlier.maps(gradcam), earlier.maps(captum)] == ["0991dce8ffc52021", "7f74154157e9dfca"]
    found = [earlier.scores(gradcam, metric) for metric in (iou, road)]
    assert found == ["b79ef219dc63f0bf", "64e46e1289ae00d5"]


def _make_earlier(selection):
    """Give all records of a run the form that they had before there were schema numbers."""
    for ledger in [Ledger(selection, fold, model, seed) for model in selection.models
                   for fold in selection.folds for seed in selection.options.seeds]:  # fmt: skip
        for method in selection.methods:
            path = ledger.cell_folder(method) / "cell.json"
            if known := read_record(path, dict):
                known = {
                    k: v for k, v in known.items() if k not in ("schema", "made_from", "made_by")
                }
                metrics = {m.spec: ledger.earlier.scores(method, m) for m in selection.metrics}
                write_record(path, {**known, "maps": ledger.earlier.maps(method),
                                    "metrics": metrics})  # fmt: skip
        path = ledger.folder / "model.json"
        known = {
            k: v
            for k, v in read_record(path, dict).items()
            if k not in ("schema", "made_from", "made_by")
        }
        write_record(path, {**known, "fingerprint": ledger.earlier.model})


@pytest.mark.slow
def test_an_earlier_run_counts_until_its_options_change(settings, finished_copy, plan_of):
    selection = select({**settings, "out": str(finished_copy)})
    _make_earlier(selection)
    plan = plan_of(settings, finished_copy)
    assert (plan.done, plan.jobs) == (plan.cells, [])
    assert plan_of(settings, finished_copy, epochs=3).done == 0
    before = RunRecord(classes=(), methods={}, metrics={}, versions={"torch": "1.0"})
    renew(select({**settings, "out": str(finished_copy)}), before)
    records = list(finished_copy.glob("cells/**/cell.json"))
    assert all(read_record(path, dict)["schema"] == 2 for path in records)
    assert {made["versions"]["torch"] for path in records
            for made in read_record(path, dict)["made_by"]
            } == {"1.0"}  # fmt: skip
    assert plan_of(settings, finished_copy).jobs == []


def test_the_plan_says_why_a_finished_model_counts_no_more(settings, finished_copy, plan_of):
    plan = plan_of(settings, finished_copy, epochs=3)
    assert plan.changed["pocket, fold 0, seed 1"] == "epochs 2 before, 3 now"
    selection = select({**settings, "epochs": 3, "out": str(finished_copy)})
    assert "  made again: pocket, fold 0, seed 1: epochs 2 before, 3 now" in describe_plan(
        selection, plan
    )
    assert plan_of(settings, finished_copy).changed == {}


def test_the_plan_says_why_a_cell_counts_no_more(settings, finished_copy, plan_of, monkeypatch):
    monkeypatch.setattr(processor, "_capabilities", dict)  # of one that refuses no bfloat16
    plan = plan_of(settings, finished_copy, precision="bf16", seeds=(0,))
    assert plan.changed["spn on pocket_saliency, fold 1, seed 0"] == (
        "precision fp32 before, bf16 now"
    )
