"""Chest X-rays: classes, parts and patients by file name, the crop, and the real ones."""

import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_photos import make_chest_xray, save

from xaibench.core.errors import DataNotFoundError, XaibenchError
from xaibench.core.reading.archives import Archive
from xaibench.core.registry import bind
from xaibench.core.roots import open_dataset
from xaibench.datasets import chest_xray as module
from xaibench.datasets.chest_xray import chest_xray, fetch_chest_xray

DATA = Path(os.environ.get("XAIBENCH_DATA", "nowhere"))
real = pytest.mark.skipif(
    not (DATA / "chest_xray").is_dir(), reason="real chest X-rays: not below XAIBENCH_DATA"
)


def test_two_or_three_classes_and_the_parts(tmp_path):
    make_chest_xray(tmp_path / "deep")
    two, three = (open_dataset(bind("dataset", f"chest_xray[classes={k}]"), tmp_path)
                  for k in (2, 3))  # fmt: skip
    assert two.classes == ("normal", "pneumonia")
    assert three.classes == ("normal", "bacteria", "virus")
    assert [s.id for s in two.samples] == [s.id for s in three.samples]
    for sample, other in zip(two.samples, three.samples, strict=True):
        assert sample.label == ("PNEUMONIA" in sample.id)
        assert other.label == ("bacteria" in sample.id) + 2 * ("virus" in sample.id)
        place = sample.id.partition("/")[0]
        assert sample.part == {"train": "train", "val": "validation", "test": "test"}[place]
    assert [sum(s.part == part for s in two.samples) for part in ("train", "validation")] == [6, 3]


@pytest.mark.parametrize(
    ("name", "patient"),
    [
        ("train/PNEUMONIA/person1_bacteria_2.jpeg", "person1"),
        ("test/PNEUMONIA/person1_virus_6.jpeg", "person1"),
        ("train/PNEUMONIA/person12_virus_6.jpeg", "person12"),
        ("train/NORMAL/IM-0545-0001-0002.jpeg", "IM-0545"),
        ("train/NORMAL/NORMAL2-IM-0545-0001.jpeg", "NORMAL2-IM-0545"),
        ("train/PNEUMONIA/BACTERIA-1135262-0001.jpeg", "BACTERIA-1135262"),
        ("train/NORMAL/scan_7.jpeg", ""),
    ],
)
def test_file_names_tell_the_patient(tmp_path, name, patient):
    save(make_chest_xray(tmp_path) / name, np.zeros((4, 6), np.uint8))
    found = [s.group for s in chest_xray(tmp_path).samples if f"{s.id}.jpeg" == name]
    assert found == [patient]


@pytest.mark.parametrize(
    ("crop", "rows", "columns"),
    [(0.5, slice(2, 6), slice(2, 8)), (0.8, slice(1, 7), slice(1, 10)), (0.01, [3], [5])],
)
def test_crop_keeps_the_middle(tmp_path, crop, rows, columns):
    pixels = np.random.default_rng(0).integers(0, 256, (8, 11), np.uint8)
    save(tmp_path / "chest_xray/test/NORMAL/IM-0001-0001.png", pixels)
    save(tmp_path / "chest_xray/test/PNEUMONIA/person1_virus_1.png", pixels)
    dataset = chest_xray(tmp_path, crop=crop)
    for sample in dataset.samples:
        image, mask = dataset.read(sample)[:2]
        assert mask is None
        expected = pixels[rows][:, columns]
        np.testing.assert_array_equal(image, np.repeat(expected[..., None], 3, axis=2))


@pytest.mark.parametrize("crop", ["0", "1.2", "-0.5"])
def test_impossible_crops(tmp_path, crop):
    with pytest.raises(XaibenchError, match=r"chest_xray\[crop=.*above 0, up to 1"):
        open_dataset(bind("dataset", f"chest_xray[crop={crop}]"), tmp_path)


def test_what_file_names_do_not_tell(tmp_path):
    folder = make_chest_xray(tmp_path)
    save(folder / "test/PNEUMONIA/person9_fungus_1.jpeg", np.zeros((4, 6), np.uint8))
    (folder / "test/PNEUMONIA/._person1_virus_6.jpeg").write_bytes(b"a Mac's shadow")
    assert len(chest_xray(tmp_path).samples) == 13
    with pytest.raises(XaibenchError, match=r"person9_fungus_1\.jpeg: .* neither bacteria nor"):
        chest_xray(tmp_path, classes=3)
    for path in folder.rglob("*virus*"):
        path.unlink()
    (folder / "test/PNEUMONIA/person9_fungus_1.jpeg").unlink()
    with pytest.raises(XaibenchError, match="no image is virus"):
        chest_xray(tmp_path, classes=3)


def test_absent_data_says_where_and_what_to_do(tmp_path):
    (tmp_path / "chest_xray" / "train").mkdir(parents=True)
    with pytest.raises(DataNotFoundError) as error:
        chest_xray(tmp_path)
    for part in ("NORMAL and PNEUMONIA", str(tmp_path), "xaibench fetch chest_xray"):
        assert part in str(error.value)


def test_fetch_names_the_archive_and_leaves_out_what_macs_add(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_ARCHIVE", Archive("http://127.0.0.1:9/file_downloaded"))
    source, root = make_chest_xray(tmp_path / "source"), tmp_path / "root"
    with pytest.raises(XaibenchError, match=r"root/ChestXRay2017\.zip by hand"):
        fetch_chest_xray(root)
    with zipfile.ZipFile(root / "ChestXRay2017.zip", "w") as archive:
        for path in source.rglob("*.jpeg"):
            archive.write(path, f"chest_xray/{path.relative_to(source).as_posix()}")
        archive.writestr("__MACOSX/chest_xray/._test", b"")
    assert fetch_chest_xray(root) == root / "chest_xray"
    assert {path.name for path in root.iterdir()} == {"ChestXRay2017.zip", "chest_xray"}
    assert len(chest_xray(root, classes=3).samples) == 12
    (root / "ChestXRay2017.zip").unlink()
    assert fetch_chest_xray(root) == root / "chest_xray"
    shutil.rmtree(root / "chest_xray" / "train")
    with pytest.raises(XaibenchError, match="connection failed"):  # it is not complete
        fetch_chest_xray(root)


@real
def test_real_xrays():
    dataset = chest_xray(DATA, classes=3)
    counts = [sum(s.label == label for s in dataset.samples) for label in range(3)]
    assert counts == [300, 202, 98]
    assert all(sample.group for sample in dataset.samples)
    # 16 numbers stand for bacteria as well as for virus.
    agents = {}
    for sample in dataset.samples:
        agents.setdefault(sample.group, set()).add(sample.label)
    assert sum(len(labels) > 1 for labels in agents.values()) == 16
    with Image.open(dataset.samples[0].path) as image:
        assert dataset.read(dataset.samples[0]).image.shape == (*image.size[::-1], 3)


@pytest.mark.slow
@real
def test_check_of_real_xrays_and_audit_of_some(call, tmp_path):
    code, out, _ = call("check", "chest_xray")
    assert (code, "FAILS" in out) == (0, False)
    for sample in chest_xray(DATA, classes=3).samples[::25]:
        place = tmp_path / sample.path.relative_to(DATA)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(sample.path)
    arguments = ("--data-root", tmp_path, "--out", tmp_path / "audit")
    code, out, _ = call("audit", "--dataset", "chest_xray", *arguments)
    assert code == 0
    assert "24 images of 2 classes (normal, pneumonia)" in out
