"""Magnetic tiles: the authors' layout, and which pictures show the same tile."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from local_server import serve
from tiny_sets import make_magnetic_tile, save

from xaibench.core.data import read_files
from xaibench.core.errors import DataNotFoundError, XaibenchError
from xaibench.core.reading.archives import Archive
from xaibench.core.splits import check_split, make_split
from xaibench.datasets import magnetic_tile as module
from xaibench.datasets.magnetic_tile import fetch_magnetic_tile, magnetic_tile

ALL = ("Blowhole", "Break", "Crack", "Fray", "Uneven", "Free")
real = pytest.mark.skipif(
    "XAIBENCH_DATA" not in os.environ, reason="real magnetic tiles: XAIBENCH_DATA not set"
)


def groups(root, frames):
    """The frames of each tile: class, exposure, number."""
    for name, exposure, number in frames:
        stem = root / "tiles" / f"MT_{name}" / "Imgs" / f"exp{exposure}_num_{number}"
        for ending in (".jpg", ".png"):
            save(stem.with_suffix(ending), np.zeros((4, 6), np.uint8))
    names = tuple(dict.fromkeys(name for name, _, _ in frames))
    found = {}
    for sample in magnetic_tile(root, classes=names).samples:
        found.setdefault(sample.group, set()).add(int(sample.id.rpartition("_")[2]))
    return sorted(sorted(group) for group in found.values())


def test_samples_masks_and_tiles(tmp_path):
    make_magnetic_tile(tmp_path / "below")
    data = magnetic_tile(tmp_path)
    assert data.classes == ALL[:5]
    assert [sample.id for sample in data.samples[3:5]] == [
        "Blowhole/exp2_num_2040",
        "Break/exp1_num_3020",
    ]
    assert [sample.label for sample in data.samples] == [
        label for label in range(5) for _ in "abcd"
    ]
    image, mask = data.read(data.samples[-1])[:2]
    wanted = np.zeros((24, 36), np.int8)
    wanted[4:11, 20:30] = 1
    assert image.shape == (24, 36, 3)
    assert np.array_equal(mask, wanted)
    assert len({sample.group for sample in data.samples}) == 10


def test_free_tiles_have_empty_masks(tmp_path):
    make_magnetic_tile(tmp_path, classes=("Free", "Crack"))
    data = magnetic_tile(tmp_path, classes=("Crack", "Free"))
    assert data.samples[-1].id == "Free/exp2_num_2040"
    assert data.samples[-1].annotated
    assert not data.read(data.samples[-1]).mask.any()


def test_frames_that_follow_closely_or_in_a_rising_series_show_one_tile(tmp_path):
    frames = [
        ("Crack", 1, 1000),
        ("Crack", 2, 1400),  # far, but the exposure rises
        ("Break", 3, 1415),  # of another class
        ("Crack", 2, 1515),  # near, though the exposure falls
        ("Crack", 2, 1616),  # too far, and no rise
        ("Break", 4, 2017),  # too far
    ]
    assert groups(tmp_path, frames) == [[1000, 1400, 1415, 1515], [1616], [2017]]


def test_tiles_do_not_hang_on_the_classes_chosen(tmp_path):
    frames = [("Crack", 1, 1000), ("Free", 1, 1090), ("Crack", 1, 1180), ("Break", 1, 5000)]
    groups(tmp_path, frames)
    chosen = magnetic_tile(tmp_path, classes=("Break", "Crack"))
    assert len({sample.group for sample in chosen.samples}) == 2


def test_other_names_stand_alone(tmp_path):
    folder = make_magnetic_tile(tmp_path) / "MT_Crack" / "Imgs"
    for ending in (".jpg", ".png"):
        save(folder / f"mine{ending}", np.zeros((4, 6), np.uint8))
    own = [s for s in magnetic_tile(tmp_path).samples if s.id == "Crack/mine"]
    assert [sample.group for sample in own] == [""]


@pytest.mark.parametrize("ending", [".jpg", ".png"])
def test_half_a_pair_is_named(tmp_path, ending):
    folder = make_magnetic_tile(tmp_path)
    (folder / "MT_Break" / "Imgs" / f"exp1_num_3020{ending}").unlink()
    with pytest.raises(XaibenchError, match=rf"MT_Break/Imgs/exp1_num_3020\{ending}: no such file"):
        magnetic_tile(tmp_path)


def test_absent_data_classes_and_options(tmp_path):
    with pytest.raises(DataNotFoundError, match=r"MT_Crack.*fetch magnetic_tile.*--data-root"):
        magnetic_tile(tmp_path)
    make_magnetic_tile(tmp_path)
    with pytest.raises(XaibenchError, match=r"MT_Free: no images.*fetch magnetic_tile"):
        magnetic_tile(tmp_path, classes=ALL)
    with pytest.raises(XaibenchError, match=r"no class 'crack'.*did you mean 'Crack'"):
        magnetic_tile(tmp_path, classes=("crack", "Break"))


def test_fetch_unpacks_the_repository_and_then_returns_at_once(tmp_path, monkeypatch):
    name = module._FOLDER
    make_magnetic_tile(tmp_path / "server").rename(tmp_path / "server" / name)
    shutil.make_archive(tmp_path / "server" / "master", "zip", tmp_path / "server", name)
    with serve(tmp_path / "server") as address:
        monkeypatch.setattr(module, "_ARCHIVE", Archive(f"{address}/master.zip"))
        folder = fetch_magnetic_tile(tmp_path / "root")
    assert folder == fetch_magnetic_tile(tmp_path / "root") == tmp_path / "root" / name
    assert [path.name for path in (tmp_path / "root").iterdir()] == [name]
    assert len(magnetic_tile(tmp_path / "root").samples) == 20


@pytest.mark.slow
@real
def test_real_tiles():
    data = magnetic_tile(Path(os.environ["XAIBENCH_DATA"]), classes=ALL)
    labels = [sample.label for sample in data.samples]
    assert np.bincount(labels).tolist() == [115, 85, 57, 32, 103, 115]
    tiles = [len({s.group for s in data.samples if s.label == label}) for label in range(6)]
    assert tiles == [20, 16, 12, 7, 17, 84]
    empty = [s.label for s in data.samples[::5] if not read_files(s).mask.any()]
    assert empty.count(5) == 23
    assert set(empty) <= {4, 5}


@real
def test_real_tiles_can_be_divided_without_parting_a_tile():
    data = magnetic_tile(Path(os.environ["XAIBENCH_DATA"]))
    for fold in range(5):
        check_split(make_split(data.samples, "kfold:5", fold, mask_fraction=0.25))
