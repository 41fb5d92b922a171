"""Dogs vs. Cats: both layouts, numbers in their order, and files that are no images."""

import logging
import os
from pathlib import Path

import pytest
from tiny_photos import make_dogs_vs_cats

from xaibench.core.errors import DataNotFoundError, XaibenchError
from xaibench.core.registry import bind
from xaibench.core.roots import open_dataset
from xaibench.datasets.dogs_vs_cats import dogs_vs_cats

DATA = Path(os.environ.get("XAIBENCH_DATA", "nowhere"))
real = pytest.mark.skipif(
    not (DATA / "dogs-vs-cats").is_dir(), reason="real Dogs vs. Cats: not below XAIBENCH_DATA"
)


def test_a_dog_is_one_and_numbers_count_as_numbers(tmp_path):
    folder = make_dogs_vs_cats(tmp_path / "deep")
    (folder / "train" / "cat.x.jpg").touch()
    dataset = dogs_vs_cats(tmp_path)
    assert dataset.classes == ("cat", "dog")
    assert [(s.id, s.label) for s in dataset.samples] == [
        (f"train/{name}.{number}", label)
        for label, name in enumerate(("cat", "dog"))
        for number in (8, 9, 10, 11)
    ]
    assert dataset.samples[4].path == folder / "train" / "dog.8.jpg"
    assert not dataset.annotated
    few = open_dataset(bind("dataset", "dogs_vs_cats[per_class=3]"), tmp_path)
    assert [s.id[6:] for s in few.samples] == [
        "cat.8", "cat.9", "cat.10", "dog.8", "dog.9", "dog.10",
    ]  # fmt: skip


def as_pets(folder):
    """Lay the images out as Microsoft does, in whose archive some files are none."""
    for name in ("Cat", "Dog"):
        (folder / "PetImages" / name).mkdir(parents=True)
        for number in (8, 9, 10, 11):
            old = folder / "train" / f"{name.lower()}.{number}.jpg"
            old.rename(folder / "PetImages" / name / f"{number}.jpg")
        (folder / "PetImages" / name / "Thumbs.db").touch()
    return folder / "PetImages"


def test_damaged_files_are_passed_over_only_on_demand(tmp_path, caplog):
    pets = as_pets(make_dogs_vs_cats(tmp_path))
    assert [s.id for s in dogs_vs_cats(tmp_path).samples][3:5] == [
        "PetImages/Cat/11", "PetImages/Dog/8",
    ]  # fmt: skip
    (pets / "Cat" / "9.jpg").write_bytes(b"")
    (pets / "Dog" / "10.jpg").write_bytes(b"<html>")
    with pytest.raises(XaibenchError, match=r"Cat/9\.jpg: an empty file.*\[skip_damaged=true\]"):
        dogs_vs_cats(tmp_path)
    with caplog.at_level(logging.WARNING):
        left = dogs_vs_cats(tmp_path, skip_damaged=True, per_class=3).samples
    assert [s.id.removeprefix("PetImages/") for s in left] == [
        "Cat/8", "Cat/10", "Cat/11", "Dog/8", "Dog/9", "Dog/11",
    ]  # fmt: skip
    named = [str(record.args[0]).partition(":")[0] for record in caplog.records]
    assert named == [str(pets / "Cat" / "9.jpg"), str(pets / "Dog" / "10.jpg")]


def test_cats_alone_are_not_enough(tmp_path):
    for path in make_dogs_vs_cats(tmp_path).rglob("dog*"):
        path.unlink()
    with pytest.raises(XaibenchError, match="no image of a dog"):
        dogs_vs_cats(tmp_path)


def test_absent_data_says_where_and_what_to_do(tmp_path):
    (tmp_path / "train").mkdir()
    with pytest.raises(DataNotFoundError) as error:
        dogs_vs_cats(tmp_path)
    for part in ("train/cat.0.jpg", str(tmp_path), "kaggle.com", "microsoft.com", "--data-root"):
        assert part in str(error.value)


@real
def test_real_images():
    dataset = dogs_vs_cats(DATA)
    assert [sum(s.label == label for s in dataset.samples) for label in (0, 1)] == [60, 60]
    shapes = {dataset.read(sample).image.shape for sample in dataset.samples[::30]}
    assert any(height != width for height, width, _ in shapes)
