"""The audit on faults that are really there, one by one and together."""

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from scans import SHAPE, copy, examine, fill, rescale, save, scan

from xaibench.audit.audit import describe_audit, write_audit
from xaibench.cli import cli
from xaibench.core.reading.groups import read_groups


@pytest.fixture
def place(tmp_path):
    return fill(tmp_path / "scans")


def test_nothing_is_found_in_clean_images(place):
    found, _ = examine(place)
    assert found.findings == ()
    assert found.groups == {}
    assert not found.failed
    assert describe_audit(found, place) == [
        "12 images of 2 classes (a, b); no findings",
        "no two images show the same",
    ]


def truncate(place):
    content = (place / "a/00.png").read_bytes()
    (place / "a/00.png").write_bytes(content[: len(content) // 2])


def break_mask(place):
    content = (place / "b/03_mask.png").read_bytes()
    (place / "b/03_mask.png").write_bytes(content[:60])


def mask_in_ones(place):
    save(place / "b/03_mask.png", scan(3)[1].astype(np.uint8))


def mask_of_another_size(place):
    save(place / "a/02_mask.png", scan(2)[1].T)


def add_mask(place):
    other = np.zeros(SHAPE, np.bool_)
    other[5:20, 100:130] = True
    save(place / "b/05_mask_1.png", other)


def overlay(place):
    image = np.repeat(scan(4)[0][..., None], 3, axis=2)
    image[10:14, 20:40] = 255, 200, 0
    save(place / "a/04.png", image)


def deepen(place):
    image = scan(7)[0].astype(np.uint16) * 257
    Image.fromarray(image).save(place / "b/07.png")


def shrink(place):
    save(place / "a/06.png", scan(6)[0][:1, :1])
    save(place / "a/06_mask.png", np.ones((1, 1), np.bool_))


def relabel(place):
    """The same lesion, moved and brightened, in the other class."""
    save(place / "b/99.png", np.minimum(scan(8)[0], 225)[2:, 3:] + np.uint8(30))
    save(place / "b/99_mask.png", scan(8)[1][2:, 3:])


FAULTS = {
    "truncated": (truncate, {("a/00", "unreadable_image", "error")}),
    "zero bytes": (
        lambda place: (place / "a/00.png").write_bytes(b""),
        {("a/00", "unreadable_image", "error")},
    ),
    "no image": (
        lambda place: (place / "a/00.png").write_text("hello"),
        {("a/00", "unreadable_image", "error")},
    ),
    "damaged mask": (break_mask, {("b/03", "unreadable_mask", "error")}),
    "mask in ones": (mask_in_ones, {("b/03", "unreadable_mask", "error")}),
    "transposed mask": (mask_of_another_size, {("a/02", "misfitting_mask", "error")}),
    "empty mask": (
        lambda place: save(place / "a/02_mask.png", np.zeros(SHAPE, np.bool_)),
        {("a/02", "empty_mask", "warning")},
    ),
    "full mask": (
        lambda place: save(place / "a/02_mask.png", np.ones(SHAPE, np.bool_)),
        {("a/02", "full_mask", "warning")},
    ),
    "two masks": (add_mask, {("b/05", "several_masks", "note")}),
    "no mask": (
        lambda place: (place / "b/05_mask.png").unlink(),
        {("b/05", "missing_mask", "warning")},
    ),
    "overlay": (overlay, {("a/04", "color_overlay", "warning")}),
    "16 bits": (deepen, {("b/07", "unusual_depth", "note")}),
    "one pixel": (shrink, {("a/06", "unusual_size", "note"), ("a/06", "full_mask", "warning")}),
    "copy": (copy, {(f"a/{n}", "exact_copy", "warning") for n in ("08", "99")}),
    "rescaled": (rescale, {(f"a/{n}", "near_duplicate", "warning") for n in ("08", "99")}),
    "relabeled": (relabel, {(n, "label_conflict", "warning") for n in ("a/08", "b/99")}),
}


@pytest.mark.parametrize(("inject", "expected"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_found_and_named_once(place, inject, expected):
    inject(place)
    found, counts = examine(place)
    assert counts == Counter(expected)
    assert found.failed == any(severity == "error" for _, _, severity in expected)
    assert all(each.detail and "\n" not in each.detail for each in found.findings)


def test_all_faults_at_once(place):
    together = [overlay, break_mask, truncate, mask_of_another_size, add_mask, deepen, relabel]
    for inject in together:
        inject(place)
    expected = Counter()
    for inject, found in FAULTS.values():
        if inject in together:
            expected.update(found)
    assert examine(place)[1] == expected


def test_copies_of_both_labels_hang_together(place):
    copy(place)
    Image.open(place / "a/08.png").save(place / "b/98.png")
    Image.open(place / "a/08_mask.png").save(place / "b/98_mask.png")
    found, counts = examine(place)
    assert counts == Counter(
        {
            **{(f"a/{n}", "exact_copy", "warning"): 1 for n in ("08", "99")},
            **{(n, "label_conflict", "warning"): 1 for n in ("a/08", "a/99", "b/98")},
        }
    )
    assert found.groups == dict.fromkeys(("a/08", "a/99", "b/98"), "a/08")
    assert describe_audit(found, Path("my audit"))[-1] == (
        "groups of images that show the same: 1, over 3 images, the largest of 3; mixing classes: "
        "1; duplicate groups split between parts: 1, so run with --groups 'my audit/groups.csv'"
    )


def test_the_command_writes_tables_that_a_run_takes(place, call, tmp_path, monkeypatch):
    for inject in (relabel, truncate, overlay):
        inject(place)
    monkeypatch.chdir(tmp_path)
    code, printed, told = call("audit", "--dataset", f"folder[path={place}]")
    assert (code, told) == (1, "")
    (out,) = (tmp_path / "results").iterdir()
    assert out.name.startswith("audit-folder")
    with (out / "audit.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["severity"], row["finding"], row["sample"]) for row in rows] == [
        ("error", "unreadable_image", "a/00"),
        ("warning", "color_overlay", "a/04"),
        ("warning", "label_conflict", "a/08"),
        ("warning", "label_conflict", "b/99"),
    ]
    assert list(rows[0]) == ["sample", "finding", "severity", "detail"]
    assert read_groups(out / "groups.csv") == {"a/08": "a/08", "b/99": "a/08"}
    assert "error: unreadable_image: 1" in printed.splitlines()


def test_the_command_succeeds_where_no_file_is_bad(tmp_path):
    given = ["audit", "--dataset", "phantom[images=8]", "--out", str(tmp_path / "new")]
    assert CliRunner().invoke(cli, given).exit_code == 0
    assert (tmp_path / "new/groups.csv").read_text() == "sample,group\n"
    assert (tmp_path / "new/audit.csv").read_text() == "sample,finding,severity,detail\n"


def test_tables_are_written_once_more_over_old_ones(place, tmp_path):
    for _ in range(2):
        write_audit(examine(place)[0], tmp_path / "out")
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["audit.csv", "groups.csv"]
