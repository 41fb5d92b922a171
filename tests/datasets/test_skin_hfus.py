"""Skin ultrasound: layer maps as grades, what they score, and what may be wrong with them."""

import numpy as np
import pytest
import torch
from tiny_photos import SHAPE, SKIN, make_skin_hfus, save

from xaibench.core.errors import DataNotFoundError, XaibenchError
from xaibench.core.registry import bind
from xaibench.core.roots import open_dataset
from xaibench.datasets.skin_hfus import skin_hfus
from xaibench.metrics.coverage import coverage
from xaibench.metrics.coverage_outside import coverage_outside
from xaibench.metrics.hit_rate_graded import hit_rate_graded
from xaibench.metrics.hit_rate_signed import hit_rate_signed
from xaibench.metrics.jaccard_by_grade import jaccard_by_grade

GRAYS = np.array([[255, 255, 128, 64, 0], [255, 128, 64, 32, 0], [128, 64, 32, 0, 0]], np.uint8)
GRADES = [[3, 3, 2, 1, -1], [3, 2, 1, 0, -1], [2, 1, 0, -1, -1]]
MAP = torch.tensor([[
    [1.00, 0.40, 1.00, 0.63, 0.00],
    [0.52, 1.00, 0.83, 0.20, 1.00],
    [0.91, 0.10, 0.30, 0.72, 0.57],
]])  # fmt: skip


def write(root, label, layers, image=None):
    name = f"{label}/scan.png"
    save(root / "skin_hfus/images" / name, np.zeros((3, 5), np.uint8) if image is None else image)
    save(root / "skin_hfus/layers" / name, layers)


@pytest.fixture
def mask(tmp_path):
    """The grades ``(1, 3, 5)`` of a layer map that was written and read as users' are."""
    write(tmp_path, "healthy", GRAYS)
    write(tmp_path, "lesion", GRAYS[::-1].copy())
    dataset = skin_hfus(tmp_path)
    return torch.from_numpy(dataset.read(dataset.samples[0]).mask)[None]


def test_grays_are_grades(mask):
    assert mask.tolist() == [GRADES]
    assert mask.dtype == torch.int8


def test_layer_map_metrics_worked_by_hand(mask):
    # The four peaks lie on grades 3, 2, 2 and -1.
    assert hit_rate_graded(MAP, mask).item() == pytest.approx((3 + 2 + 2 - 1) / 4)
    assert hit_rate_signed(MAP, mask).item() == pytest.approx((1 + 0 + 0 - 1) / 4)
    assert coverage(MAP, mask).item() == pytest.approx((1.00 + 0.40 + 0.52) / 3)
    assert coverage_outside(MAP, mask).item() == pytest.approx((0 + 1 + 0.72 + 0.57) / 4)


@pytest.mark.parametrize(
    ("grade", "by_threshold"),
    [  # at .50, .55 ... .95 the map marks 10, 9, 8, 7, 7, 6, 6, 5, 5 and 4 pixels
        (3, [2 / 11, 1 / 11, 1 / 10, 1 / 9, 1 / 9, 1 / 8, 1 / 8, 1 / 7, 1 / 7, 1 / 6]),
        (2, [3 / 10, 3 / 9, 3 / 8, 3 / 7, 3 / 7, 3 / 6, 3 / 6, 3 / 5, 3 / 5, 2 / 5]),
        (0, [0.0] * 10),
    ],
)
def test_jaccard_of_each_layer_worked_by_hand(mask, grade, by_threshold):
    found = jaccard_by_grade(MAP, mask, grade=grade).item()
    assert found == pytest.approx(np.mean(by_threshold))


def test_images_classes_and_patients(tmp_path):
    folder = make_skin_hfus(tmp_path / "deep")
    dataset = skin_hfus(tmp_path)
    assert dataset.classes == tuple(sorted(SKIN))
    assert len(dataset.samples) == 16
    sample = dataset.samples[4]
    assert sample.id == "inflammatory/p0_0"
    assert sample.path == folder / "images" / "inflammatory" / "p0_0.png"
    assert [(m.grade, m.value) for m in sample.masks] == [
        (3, 255), (2, 128), (1, 64), (0, 32), (-1, 0),
    ]  # fmt: skip
    image, mask = dataset.read(sample)[:2]
    assert image.shape == (*SHAPE, 3)
    assert np.unique(mask).tolist() == [-1, 0, 1, 2, 3]
    assert {s.group for s in dataset.samples} == {""}
    spec = "skin_hfus[classes=other+healthy,patient_ends=_,per_class=3]"
    few = open_dataset(bind("dataset", spec), tmp_path)
    assert [(s.label, s.group) for s in few.samples] == [
        (0, "p0"), (0, "p0"), (0, "p1"), (1, "p0"), (1, "p0"), (1, "p1"),
    ]  # fmt: skip


def test_other_grays_and_sizes_are_errors_that_name_them(tmp_path):
    strange = GRAYS.copy()
    strange[1, 3] = 200
    write(tmp_path, "a", strange)
    write(tmp_path, "b", GRAYS.T.copy())
    dataset = skin_hfus(tmp_path)
    with pytest.raises(XaibenchError, match=r"layers/a/scan\.png: the gray 200 is no layer"):
        dataset.read(dataset.samples[0])
    with pytest.raises(XaibenchError, match=r"layers/b/scan\.png: this mask is 3x5.* is 5x3"):
        dataset.read(dataset.samples[1])


def test_missing_layer_map_and_empty_class_are_named(tmp_path):
    folder = make_skin_hfus(tmp_path)
    (folder / "layers" / "lesion" / "p1_2.png").unlink()
    with pytest.raises(XaibenchError, match=r"layers/lesion/p1_2\.png: the layer map of p1_2\.png"):
        skin_hfus(tmp_path)
    assert len(skin_hfus(tmp_path, classes=("healthy", "other")).samples) == 8
    (folder / "images" / "empty").mkdir()
    with pytest.raises(XaibenchError, match=r"images/empty: no images"):
        skin_hfus(tmp_path)


def test_found_by_its_name_or_as_the_root_itself(tmp_path, monkeypatch):
    folder = make_skin_hfus(tmp_path).rename(tmp_path / "scans")
    with pytest.raises(DataNotFoundError, match=r"no folder skin_hfus .*skin_hfus/layers/CLASS"):
        skin_hfus(tmp_path)
    (folder / "images" / SKIN[0] / "._p0_0.png").write_bytes(b"what a Mac adds")
    assert len(skin_hfus(folder).samples) == 16
    monkeypatch.chdir(folder)
    assert len(skin_hfus(type(folder)(".")).samples) == 16


def test_grays_of_a_folder_of_the_users_own(tmp_path):
    save(tmp_path / "skin_hfus/images/a/1.png", np.zeros((2, 3), np.uint8))
    save(tmp_path / "skin_hfus/images/b/1.png", np.zeros((2, 3), np.uint8))
    own = np.array([[200, 9, 9], [0, 0, 200]], np.uint8)
    for label in "ab":
        save(tmp_path / "mine" / label / "1.png", own)
    spec = "skin_hfus[layers=mine,grades=200:3+9:1+0:-1]"
    dataset = open_dataset(bind("dataset", spec), tmp_path)
    assert dataset.read(dataset.samples[1]).mask.tolist() == [[3, 1, 1], [-1, -1, 3]]
    strict = open_dataset(bind("dataset", "skin_hfus[layers=mine,grades=200:3+0:-1]"), tmp_path)
    with pytest.raises(XaibenchError, match=r"gray 9 is no layer; use 200, 0 alone .*grades="):
        strict.read(strict.samples[0])


def test_a_layer_map_is_made_of_a_mask_for_each_layer(tmp_path):
    skin, dermis = (np.zeros((2, 4), np.uint8) for _ in range(2))
    skin[0, :2], dermis[:, 1:3] = 255, 255
    for label in "ab":
        save(tmp_path / f"skin_hfus/images/{label}/1.png", np.zeros((2, 4), np.uint8))
        save(tmp_path / f"skin_hfus/layers/{label}/1_epidermis.png", skin)
    save(tmp_path / "skin_hfus/layers/dermis/a/1.png", dermis)
    spec = "skin_hfus[classes=a+b,grades=epidermis:3+dermis:1]"
    dataset = open_dataset(bind("dataset", spec), tmp_path)
    both, one = (dataset.read(sample).mask.tolist() for sample in dataset.samples)
    assert both == [[3, 3, 1, -1], [-1, 1, 1, -1]]
    assert one == [[3, 3, -1, -1], [-1, -1, -1, -1]]
    assert dataset.notes == ("skin_hfus: 1 of 2 images have no mask of layer dermis",)
    (tmp_path / "skin_hfus/layers/b/1_epidermis.png").unlink()
    for options, said in (
        ("grades=epidermis:3+dermis:1", "1 has a mask of none of the layers epidermis, dermis"),
        ("grades=epidermis", "'epidermis' is no gray and grade such as 255:3"),
        ("grades=255:3+dermis:1", "grays from 0 to 255 alone, or names alone"),
        ("grades=epidermis:3+dermis:1,rest=4", "rest=4: layers have lower grades"),
        ("layers=nowhere", "nowhere is no folder; name one"),
    ):
        with pytest.raises(XaibenchError, match=said):
            open_dataset(bind("dataset", f"skin_hfus[{options}]"), tmp_path)
