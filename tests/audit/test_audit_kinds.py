"""The audit of other kinds of datasets: layers, boxes, known groups, drawn, tiny and real ones."""

import csv
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from scans import SHAPE, copy, examine, fill, rescale, save, scan
from scipy.ndimage import gaussian_filter

from xaibench.audit.audit import audit
from xaibench.core.data import Box, Dataset, MaskLayer, Picture, Sample
from xaibench.core.errors import XaibenchError
from xaibench.core.registry import bind
from xaibench.core.roots import open_dataset


@pytest.fixture
def place(tmp_path):
    return fill(tmp_path / "scans")


def memory_dataset(*samples, mask=None):
    def read(sample):
        image, lesion = scan(int(sample.id[-1]))
        if sample.id.startswith("bad"):
            raise XaibenchError("torn")
        return Picture(np.repeat(image[..., None], 3, 2), lesion if mask is None else mask)

    return Dataset(("healthy", "ill"), samples, read)


def test_a_reader_of_its_own_is_audited_too():
    layer = (MaskLayer(Path("m")),)
    found = audit(memory_dataset(*(Sample(f"n{n}", Path("x"), n % 2, layer) for n in range(4)),
                                 Sample("bad5", Path("x"), 0, layer)))  # fmt: skip
    assert [tuple(each) for each in found.findings] == [
        ("bad5", "unreadable_image", "error", "torn")
    ]


def test_masks_that_a_whole_class_lacks_are_only_noted(place):
    for mask in (place / "b").glob("*_mask.png"):
        mask.unlink()
    assert set(examine(place)[1]) == {
        (f"b/{n:02}", "missing_mask", "note") for n in range(1, 12, 2)
    }
    for number in range(1, 12, 2):
        save(place / f"b/{number:02}_mask.png", np.zeros(SHAPE, np.bool_))
    assert set(examine(place)[1]) == {(f"b/{n:02}", "empty_mask", "note") for n in range(1, 12, 2)}


def test_layers_of_different_grades_are_not_several_masks(place):
    files = [place / "a/00_mask.png", place / "b/01_mask.png", place / "b/03_mask.png"]
    layers = tuple(MaskLayer(file, grade) for file, grade in zip(files, (1, 2, -1), strict=True))
    samples = (
        Sample("x", place / "a/00.png", 0, layers),
        Sample("y", place / "a/02.png", 1, (MaskLayer(files[2], -1),)),
        Sample("z", place / "a/04.png", 1, (MaskLayer(files[0]),)),
    )
    found = audit(Dataset(("a", "b"), samples)).findings
    # A layer below zero marks no evidence.
    assert [each[:3] for each in found] == [("y", "empty_mask", "warning")]


def test_boxes_mark_and_may_not_leave_the_image(place):
    boxes = {"in": Box(0, 0, 140, 80), "wide": Box(0, 0, 91, 95), "all": Box(0, 0, 140, 90)}
    samples = tuple(
        Sample(name, place / f"a/0{2 * n}.png", 0, boxes=(box,))
        for n, (name, box) in enumerate(boxes.items())
    )
    found = audit(Dataset(("a", "b"), samples)).findings
    assert [each[:2] for each in found] == [("all", "full_mask"), ("wide", "misfitting_box")]
    assert found[1].detail == "box (0, 0, 91, 95) leaves the image 140x90"


def test_known_groups_make_a_note_and_strangers_a_warning(place):
    rescale(place)
    copy(place)
    (place / "a/99.png").rename(place / "a/97.png")
    (place / "a/99_mask.png").rename(place / "a/97_mask.png")
    table = place.parent / "all.csv"
    rows = [(f"scans/a/{n}.{end}", "a", "p") for n, end in (("08", "png"), ("99", "bmp"))]
    rows += [("scans/a/97.png", "a", ""), ("scans/b/01.png", "b", "")]
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([("image", "label", "group"), *rows])
    found, counts = examine(table)
    one, other, third = "scans/a/08", "scans/a/99", "scans/a/97"
    assert counts == Counter(
        {
            **{(name, "exact_copy", "note"): 1 for name in (one, other)},
            **{(name, "near_duplicate", "warning"): 1 for name in (one, other, third)},
        }
    )
    assert found.groups == dict.fromkeys((one, other, third), one)


@pytest.mark.slow
@pytest.mark.parametrize("spec", ["phantom[images=30]", "phantom[images=20,shortcut=1]"])
def test_distinct_phantoms_are_clean(spec):
    found = audit(open_dataset(bind("dataset", spec)))
    assert found.findings == ()
    assert found.groups == {}


def test_digits_are_compared_for_copies_only(tmp_path):
    stroke = np.zeros((28, 24))
    stroke[4:24, 8:15] = 250
    stroke = gaussian_filter(stroke, 1).astype(np.uint8)
    for number, lower in enumerate((0, 1, 0)):
        save(tmp_path / "d/a" / f"{number}.png", np.roll(stroke, lower, axis=0))
    save(tmp_path / "d/b/0.png", stroke.T)
    _, counts = examine(tmp_path / "d")
    assert counts == Counter({(f"a/{n}", "exact_copy", "warning"): 1 for n in (0, 2)})


@pytest.mark.slow
@pytest.mark.skipif("XAIBENCH_DATA" not in os.environ, reason="real BUSI: XAIBENCH_DATA not set")
def test_real_busi():
    plugin = bind("dataset", "busi").whole
    found = audit(open_dataset(plugin, os.environ["XAIBENCH_DATA"]))
    counts = Counter((each.finding, each.severity) for each in found.findings)
    assert not found.failed
    assert counts["color_overlay", "warning"] == 16
    assert counts["several_masks", "note"] == 17
    assert counts["empty_mask", "note"] == 133
    assert counts["near_duplicate", "warning"] == 0  # the shipped groups keep them together
    assert sum(number for (kind, _), number in counts.items() if kind != "near_duplicate") == (
        16 + 17 + 133 + counts["label_conflict", "warning"]
    )
    assert len(set(found.groups.values())) == 153
    assert len(found.groups) == 346
    labels = {}
    for name, group in found.groups.items():
        labels.setdefault(group, set()).add(name.split("/")[0])
    assert sum(len(each) > 1 for each in labels.values()) == 8
    assert found.groups["malignant/malignant (145)"] == found.groups["benign/benign (433)"]
    conflict = next(e for e in found.findings if e.sample == "malignant/malignant (145)")
    assert conflict.finding == "label_conflict"
    assert "benign/benign (433) (benign, " in conflict.detail
