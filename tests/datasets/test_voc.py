"""Pascal VOC 2012: one label an image, its mask by palette index, parts, and SBD merged."""

import tarfile

import numpy as np
import pytest
from click.testing import CliRunner
from local_server import serve
from PIL import Image
from tiny_sets import make_sbd, make_voc, voc_truth
from torchvision.datasets import voc as published

from xaibench.cli import cli
from xaibench.core.errors import DataNotFoundError, XaibenchError
from xaibench.core.reading.archives import Archive
from xaibench.core.registry import bind
from xaibench.datasets import voc as module
from xaibench.datasets.voc import fetch_voc, voc

CAT, DOG, PERSON = 8, 12, 15
TRAIN = {"2007_1": [DOG], "2007_2": [CAT, PERSON], "2007_3": []}
VAL = {"2007_4": [CAT], "2007_5": [PERSON, DOG], "2007_6": [DOG, CAT, DOG]}


def named(data):
    return {s.id: (data.classes[s.label], s.part) for s in data.samples}


def test_single_keeps_images_of_one_class(tmp_path):
    make_voc(tmp_path / "deeper", TRAIN, VAL)
    assert named(voc(tmp_path)) == {"2007_1": ("dog", "train"), "2007_4": ("cat", "test")}
    # What isn't chosen doesn't count: the person behind the cat is background.
    chosen = voc(tmp_path, classes=("dog", "cat"))
    assert named(chosen) == {
        "2007_1": ("dog", "train"),
        "2007_2": ("cat", "train"),
        "2007_4": ("cat", "test"),
        "2007_5": ("dog", "test"),
    }
    assert [sample.label for sample in chosen.samples] == [0, 1, 1, 0]


def test_largest_takes_all_with_objects_by_pixels(tmp_path):
    make_voc(tmp_path, TRAIN, VAL)
    # Boxes are 9, 7 and 5 columns wide: the first wins, though two dogs are more than one.
    assert named(voc(tmp_path, objects="largest")) == {
        "2007_1": ("dog", "train"),
        "2007_2": ("cat", "train"),
        "2007_4": ("cat", "test"),
        "2007_5": ("person", "test"),
        "2007_6": ("dog", "test"),
    }


def test_mask_is_all_objects_of_the_class_without_void(tmp_path):
    make_voc(tmp_path, TRAIN, VAL)
    data = voc(tmp_path, objects="largest")
    image, mask = data.read(data.samples[-1])[:2]
    wanted = np.zeros((30, 40), np.int8)
    wanted[5:20, 2:11] = wanted[5:20, 28:33] = 1
    assert image.shape == (30, 40, 3)
    assert np.array_equal(mask, wanted)
    truth = voc_truth(VAL["2007_6"])
    assert (truth == 255).sum() > 0
    assert np.array_equal(mask == 1, truth == DOG)


def test_sbd_adds_training_images_that_voc_does_not_test_on(tmp_path):
    make_voc(tmp_path, TRAIN, VAL)
    with pytest.raises(DataNotFoundError, match=r"sbd=true.*cls, img.*fetch 'voc.sbd=true.'"):
        voc(tmp_path, sbd=True)
    # Some are VOC's own: one that it trains on (its mask is finer), one that it tests on.
    make_sbd(tmp_path, {"2008_1": [CAT], "2007_4": [DOG]}, {"2008_2": [PERSON], "2007_1": [CAT]})
    data = voc(tmp_path, sbd=True)
    assert named(data) == {
        "2007_1": ("dog", "train"),
        "2007_4": ("cat", "test"),
        "2008_1": ("cat", "train"),
        "2008_2": ("person", "train"),
    }
    for sample in data.samples:
        _, mask = data.read(sample)[:2]
        wanted = np.zeros((30, 40), np.int8)
        wanted[5:20, 2:11] = 1
        assert np.array_equal(mask, wanted)


def read_all(root):
    data = voc(root, objects="largest")
    return [data.read(sample) for sample in data.samples]


@pytest.mark.parametrize("name", ["JPEGImages/2007_2.jpg", "SegmentationClass/2007_2.png"])
def test_missing_and_damaged_files_are_named(tmp_path, name):
    folder = make_voc(tmp_path, TRAIN, VAL)
    (folder / name).unlink()
    with pytest.raises(XaibenchError, match=rf"{name}: no such file, though the list.*fetch voc"):
        voc(tmp_path)
    (folder / name).write_bytes(b"no picture")
    with pytest.raises(XaibenchError, match=f"{name}: not a readable image"):
        read_all(tmp_path)


def test_missing_list_is_named(tmp_path):
    folder = make_voc(tmp_path, TRAIN, VAL)
    (folder / "ImageSets" / "Segmentation" / "val.txt").unlink()
    with pytest.raises(XaibenchError, match=r"val\.txt: No such file.*fetch voc"):
        voc(tmp_path)


def test_masks_that_lost_their_palette_are_refused(tmp_path):
    folder = make_voc(tmp_path, TRAIN, VAL)
    file = folder / "SegmentationClass" / "2007_4.png"
    with Image.open(file) as mask:
        mask.convert("RGB").save(file)
    with pytest.raises(XaibenchError, match=r"2007_4\.png: this mask has colors that "):
        voc(tmp_path)


def test_sbd_mask_of_another_size_and_damage(tmp_path):
    make_voc(tmp_path, TRAIN, VAL)
    folder = make_sbd(tmp_path, {"2008_1": [CAT]}, {})
    Image.new("RGB", (41, 30)).save(folder / "img" / "2008_1.jpg")
    data = voc(tmp_path, sbd=True)
    with pytest.raises(XaibenchError, match=r"2008_1\.mat: its mask is 40x30, .* is 41x30"):
        data.read(data.samples[-1])
    (folder / "cls" / "2008_1.mat").unlink()
    with pytest.raises(XaibenchError, match=r"2008_1\.mat: no such file, though the list"):
        voc(tmp_path, sbd=True)


def test_absent_data_and_wrong_options(tmp_path):
    with pytest.raises(DataNotFoundError, match=r"VOCdevkit/VOC2012.*fetch voc.*--data-root"):
        voc(tmp_path)
    with pytest.raises(XaibenchError, match=r"no class 'plane'.*did you mean 'aeroplane'"):
        voc(tmp_path, classes=("plane", "cat"))
    with pytest.raises(XaibenchError, match=r"objects=every.*single, largest, all"):
        bind("dataset", "voc[objects=every]")


def fetch_with_boundaries(tmp_path, monkeypatch):
    make_sbd(tmp_path / "sbd", {"2008_1": [CAT]}, {"2008_2": [PERSON]})
    with tarfile.open(tmp_path / "sbd" / "benchmark.tgz", "w:gz") as file:
        file.add(tmp_path / "sbd" / "benchmark_RELEASE", "benchmark_RELEASE")
    with serve(tmp_path / "sbd") as address:
        monkeypatch.setattr(module, "_BOUNDARIES", Archive(f"{address}/benchmark.tgz"))
        root = str(tmp_path / "root")
        result = CliRunner().invoke(cli, ["fetch", "voc[sbd=true]", "--data-root", root])
    assert result.exit_code == 0, result.output
    assert "voc[sbd=true] is complete in" in result.output
    assert len(voc(tmp_path / "root", sbd=True).samples) == 4


def test_fetch_unpacks_mends_and_tells_what_fails(tmp_path, monkeypatch):
    source = make_voc(tmp_path / "server", TRAIN, VAL)
    archive = tmp_path / "server" / "VOC.tar"
    with tarfile.open(archive, "w") as file:
        file.add(source, "VOCdevkit/VOC2012")
    official = {**published.DATASET_YEAR_DICT["2012"], "filename": archive.name, "md5": None}
    with serve(archive.parent) as address:
        official["url"] = f"{address}/{archive.name}"
        monkeypatch.setitem(published.DATASET_YEAR_DICT, "2012", official)
        folder = fetch_voc(tmp_path / "root")
        (folder / "JPEGImages" / "2007_2.jpg").unlink()
        assert fetch_voc(tmp_path / "root") == folder
    assert len(voc(tmp_path / "root").samples) == 2
    assert fetch_voc(tmp_path / "root") == folder
    fetch_with_boundaries(tmp_path, monkeypatch)
    with pytest.raises(XaibenchError, match=r"download failed.*2007_000032\.png exists"):
        fetch_voc(tmp_path / "elsewhere")
