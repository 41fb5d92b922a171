"""Stanford Dogs: boxes, lists, breeds by name, and what may be missing."""

import shutil
import tarfile

import numpy as np
import pytest
from tiny_photos import BREEDS, SHAPE, draw, make_stanford_dogs

from xaibench.core.data import Box
from xaibench.core.errors import DataNotFoundError, XaibenchError
from xaibench.core.reading.archives import Archive
from xaibench.core.registry import bind
from xaibench.core.roots import open_dataset
from xaibench.datasets import stanford_dogs as module
from xaibench.datasets.stanford_dogs import fetch_stanford_dogs, stanford_dogs


def test_boxes_are_masks_and_lists_are_parts(tmp_path):
    folder = make_stanford_dogs(tmp_path / "deep" / "down")
    dataset = stanford_dogs(tmp_path)
    assert dataset.classes == BREEDS
    stem = "n02085620-Chihuahua/n02085620"
    assert [s.id for s in dataset.samples[:4]] == [f"{stem}_{n}" for n in (2, 9, 16, 23)]
    assert [s.part for s in dataset.samples[:4]] == ["train", "test"] * 2
    for place, sample in enumerate(dataset.samples):
        box = draw(sample.label, place % 4).box
        assert sample.boxes == (box,)
        assert sample.path == folder / "Images" / f"{sample.id}.jpg"
        image, mask = dataset.read(sample)[:2]
        assert image.shape == (*SHAPE, 3)
        assert np.argwhere(mask).min(axis=0).tolist() == [box.top, box.left]
        assert mask.sum() == 14 * 9


def test_several_dogs_in_one_image(tmp_path):
    path = make_stanford_dogs(tmp_path) / "Annotation" / BREEDS[1] / "n02085782_9"
    path.write_text(
        "<annotation>"
        + "".join(
            f"<object><bndbox><xmin>{left}</xmin><ymin>2</ymin><xmax>{left + 3}</xmax>"
            "<ymax>4</ymax></bndbox></object>"
            for left in (1, 20)
        )
        + "</annotation>"
    )
    sample = next(s for s in stanford_dogs(tmp_path).samples if s.id.endswith("n02085782_9"))
    assert sample.boxes == (Box(0, 1, 4, 4), Box(19, 1, 23, 4))


def test_breeds_by_name_and_few_of_each(tmp_path):
    make_stanford_dogs(tmp_path)
    spec = f"stanford_dogs[classes=standard_poodle+{BREEDS[0]},per_class=1]"
    dataset = open_dataset(bind("dataset", spec), tmp_path)
    assert dataset.classes == (BREEDS[2], BREEDS[0])
    assert [(s.label, s.part) for s in dataset.samples] == [
        (0, "train"), (0, "test"), (1, "train"), (1, "test"),
    ]  # fmt: skip
    with pytest.raises(XaibenchError, match=r"no class 'Chihuaua'.*did you mean 'Chihuahua'"):
        stanford_dogs(tmp_path, classes=("Chihuaua", "standard_poodle"))


def test_without_lists_no_parts(tmp_path):
    shutil.rmtree(make_stanford_dogs(tmp_path) / "lists")
    assert {s.part for s in stanford_dogs(tmp_path).samples} == {""}


@pytest.mark.parametrize("file", ["Images/{}.jpg", "Annotation/{}"])
def test_missing_file_is_named(tmp_path, file):
    folder, name = file.format(f"{BREEDS[1]}/n02085782_16").split("/", 1)
    (make_stanford_dogs(tmp_path) / folder / name).unlink()
    with pytest.raises(
        XaibenchError, match=rf"{folder}: {name} is missing; remove .* and run `xai"
    ):
        stanford_dogs(tmp_path)
    assert len(stanford_dogs(tmp_path, classes=(BREEDS[0], BREEDS[2])).samples) == 8


def test_damaged_list_is_named(tmp_path):
    folder = make_stanford_dogs(tmp_path)
    (folder / "lists" / "test_list.mat").write_bytes(b"torn" * 50)
    with pytest.raises(XaibenchError, match=r"test_list\.mat: not a readable MATLAB file"):
        stanford_dogs(tmp_path)


def test_absent_data_says_where_and_what_to_do(tmp_path):
    (tmp_path / "Images" / "cats").mkdir(parents=True)
    with pytest.raises(DataNotFoundError) as error:
        stanford_dogs(tmp_path)
    for part in ("Annotation/n02085620-Chihuahua", str(tmp_path), "fetch stanford_dogs"):
        assert part in str(error.value)


def test_fetch_unpacks_all_three_archives(tmp_path, monkeypatch):
    archives = {"images": "images", "boxes": "annotation", "lists": "lists"}
    nobody = {kind: Archive(f"http://127.0.0.1:9/{name}.tar") for kind, name in archives.items()}
    monkeypatch.setattr(module, "_ARCHIVES", nobody)
    source, root = make_stanford_dogs(tmp_path / "source"), tmp_path / "root"
    (root / "stanford_dogs").mkdir(parents=True)
    for archive, name in (("images", "Images"), ("annotation", "Annotation")):
        with tarfile.open(root / "stanford_dogs" / f"{archive}.tar", "w") as file:
            file.add(source / name, name)
    with pytest.raises(XaibenchError, match=r"lists\.tar: .*lists/train_list\.mat exists"):
        fetch_stanford_dogs(root)
    with tarfile.open(root / "stanford_dogs" / "lists.tar", "w") as file:
        for table in sorted((source / "lists").iterdir()):
            file.add(table, f"./{table.name}")  # these archives have no folder
    assert fetch_stanford_dogs(root) == root / "stanford_dogs"
    assert [s.id for s in stanford_dogs(root).samples] == [
        s.id for s in stanford_dogs(tmp_path / "source").samples
    ]
    assert stanford_dogs(root).samples[1].part == "test"
