"""COCO in YOLO's format: one label an image, classes of several categories, other names."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from local_server import serve
from tiny_sets import make_coco_yolo

from xaibench.core.errors import DataNotFoundError, XaibenchError
from xaibench.core.reading.archives import Archive
from xaibench.datasets import coco_yolo as module
from xaibench.datasets.coco_yolo import coco_yolo, fetch_coco_yolo

PERSON, CAR, CAT, DOG = 0, 2, 15, 16
real = pytest.mark.skipif(
    "XAIBENCH_DATA" not in os.environ, reason="real COCO: XAIBENCH_DATA not set"
)


def box(kind, left, top, right, bottom):
    return f"{kind} {left} {top} {right} {top} {right} {bottom} {left} {bottom}\n"


PICTURES = {
    "train2017/1": box(PERSON, 0, 0, 0.5, 0.5) + box(CAT, 0.5, 0, 0.9, 0.5),
    "train2017/2": box(CAT, 0, 0, 0.25, 0.5) + box(DOG, 0.5, 0.5, 1, 1) + box(CAR, 0, 0, 0.5, 0.6),
    "train2017/3": box(CAR, 0, 0, 0.5, 1),
    "val2017/4": box(PERSON, 0, 0, 0.2, 0.2) + box(PERSON, 0.5, 0.5, 0.75, 1),
    "val2017/5": "",
}


def named(data):
    return {s.id.partition("/")[2]: data.classes[s.label] for s in data.samples}


def test_groups_of_categories_by_area(tmp_path):
    make_coco_yolo(tmp_path, PICTURES)
    data = coco_yolo(tmp_path, least=1)
    assert data.classes == ("person", "vehicle", "animal")
    # A cat and a dog, 0.125 and 0.25 of picture 2, are together more animal than the car's 0.3.
    assert named(data) == {"1": "person", "2": "animal", "3": "vehicle", "4": "person"}
    assert [sample.part for sample in data.samples] == ["train", "train", "train", "test"]
    image, mask = data.read(data.samples[1])[:2]
    wanted = np.zeros((20, 40), np.int8)
    wanted[:10, :10] = wanted[10:, 20:] = 1
    assert image.shape == (20, 40, 3)
    assert np.array_equal(mask, wanted)


def test_categories_by_name_in_the_order_given(tmp_path):
    make_coco_yolo(tmp_path, PICTURES)
    data = coco_yolo(tmp_path, classes=("cat", "car"))
    assert named(data) == {"1": "cat", "2": "car", "3": "car"}
    assert [sample.label for sample in data.samples] == [0, 1, 1]
    assert data.read(data.samples[0]).mask.sum() == 16 * 10
    assert named(coco_yolo(tmp_path, classes=("cat", "car"), objects="single")) == {
        "1": "cat",
        "3": "car",
    }


def test_rare_classes_are_left_out(tmp_path):
    make_coco_yolo(tmp_path, {**PICTURES, "train2017/6": box(DOG, 0, 0, 1, 1)})
    assert named(coco_yolo(tmp_path, least=2)) == {
        "1": "person", "2": "animal", "4": "person", "6": "animal",
    }  # fmt: skip
    with pytest.raises(XaibenchError, match=r"least=3.*person 2, vehicle 1.*smaller number"):
        coco_yolo(tmp_path, least=3)
    with pytest.raises(XaibenchError, match=r"classes=cat.zebra.*no image stands for 'zebra'"):
        coco_yolo(tmp_path, classes=("cat", "zebra"))


def test_files_without_a_partner_are_left_out(tmp_path):
    folder = make_coco_yolo(tmp_path, PICTURES)
    (folder / "labels" / "train2017" / "1.txt").unlink()
    (folder / "images" / "train2017" / "3.jpg").unlink()
    assert named(coco_yolo(tmp_path, classes=("person", "animal"))) == {
        "2": "animal",
        "4": "person",
    }
    (folder / "images" / "val2017").rename(folder / "images" / "other")
    (folder / "images" / "train2017").rename(folder / "images" / "train")
    with pytest.raises(XaibenchError, match="no file of labels/ is named like one of images/"):
        coco_yolo(tmp_path)


def test_other_names_from_a_data_yaml(tmp_path):
    pictures = {"train/1": box(0, 0, 0, 1, 0.5), "val/2": box(1, 0, 0, 1, 1), "test/3": ""}
    folder = make_coco_yolo(tmp_path, pictures, name="scratches")
    (folder / "data.yaml").write_text("names: [scratch, dent]\n")
    with pytest.raises(DataNotFoundError):  # none of COCO's, unless the folder itself is named
        coco_yolo(tmp_path)
    data = coco_yolo(folder, least=1)
    assert data.classes == ("scratch", "dent")
    assert [sample.part for sample in data.samples] == ["train", "validation"]
    with pytest.raises(XaibenchError, match=r"no class 'animal'.*choose among scratch, dent"):
        coco_yolo(folder, classes=("animal", "dent"))


def test_malformed_labels_and_wrong_options(tmp_path):
    with pytest.raises(DataNotFoundError, match=r"coco\*.*fetch coco_yolo.*--data-root"):
        coco_yolo(tmp_path)
    make_coco_yolo(tmp_path, {**PICTURES, "train2017/8": box(0, 0, 0, 1, 0.5) + "0 .1 .2\n"})
    with pytest.raises(XaibenchError, match=r"train2017/8\.txt, line 2: 2 numbers"):
        coco_yolo(tmp_path)
    with pytest.raises(XaibenchError, match=r"no class 'cats'.*did you mean 'cat'"):
        coco_yolo(tmp_path, classes=("cats", "dog"))
    with pytest.raises(XaibenchError, match="least=0"):
        coco_yolo(tmp_path, least=0)
    with pytest.raises(XaibenchError, match="'animal' and 'dog' overlap"):
        coco_yolo(tmp_path, classes=("animal", "person", "dog"))


def test_fetch_unpacks_and_then_returns_at_once(tmp_path, monkeypatch):
    make_coco_yolo(tmp_path / "server", PICTURES, name="coco128-seg")
    shutil.make_archive(tmp_path / "server" / "some", "zip", tmp_path / "server", "coco128-seg")
    with serve(tmp_path / "server") as address:
        monkeypatch.setattr(module, "_ARCHIVE", Archive(f"{address}/some.zip"))
        folder = fetch_coco_yolo(tmp_path / "root")
    assert folder == fetch_coco_yolo(tmp_path / "root") == tmp_path / "root" / "coco128-seg"
    assert len(coco_yolo(tmp_path / "root", least=1).samples) == 4


@real
def test_real_coco128():
    root = Path(os.environ["XAIBENCH_DATA"])
    data = coco_yolo(root)
    assert data.classes == ("person", "vehicle", "animal", "furniture")
    assert np.bincount([s.label for s in data.samples]).tolist() == [38, 23, 19, 11]
    assert len(coco_yolo(root, least=1).samples) == 126
    for sample in data.samples[::15]:
        image, mask = data.read(sample)[:2]
        assert mask.shape == image.shape[:2]
        assert 0 < mask.mean() < 1
