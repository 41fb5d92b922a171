"""MNIST: idx files, packed or not, and the stroke as the mask."""

import gzip
import os
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torchvision.datasets
from local_server import serve
from tiny_sets import make_mnist
from torchvision.datasets.mnist import read_image_file, read_label_file

from xaibench.core.errors import DataNotFoundError, XaibenchError
from xaibench.core.registry import bind
from xaibench.core.splits import make_split
from xaibench.datasets.mnist import fetch_mnist, mnist

real = pytest.mark.skipif(
    "XAIBENCH_DATA" not in os.environ, reason="real MNIST: XAIBENCH_DATA not set"
)


@pytest.mark.parametrize("packed", [True, False])
def test_digits_lie_as_they_are_drawn_and_strokes_are_their_masks(tmp_path, packed):
    folder = make_mnist(tmp_path, packed=packed)
    data = mnist(tmp_path)
    assert [sample.id for sample in data.samples[29:31]] == ["train/00029", "test/00000"]
    assert [sample.label for sample in data.samples[:12]] == [*range(10), 0, 1]
    image, mask = data.read(next(each for each in data.samples if each.id == "test/00013"))[:2]
    assert image.shape == (20, 28, 3)
    wanted = np.zeros((20, 28), np.int8)
    wanted[3:, 7] = 1
    assert np.array_equal(mask, wanted)
    assert np.array_equal(image[..., 1], 200 * wanted.astype(int) + 127 * (image[..., 0] == 127))
    assert image[1, 0].tolist() == [127, 127, 127]
    if not packed:  # torchvision's own reader agrees
        digits = read_label_file(folder / "train-labels-idx1-ubyte")
        assert digits.tolist() == [
            sample.label for sample in data.samples if sample.part == "train"
        ]
        pixels = read_image_file(folder / "train-images-idx3-ubyte").numpy()
        assert all(
            np.array_equal(data.read(sample).image[..., 2], pixels[n])
            for n, sample in enumerate(data.samples[:30])
        )


def test_classes_and_number_of_each_in_each_part(tmp_path):
    make_mnist(tmp_path)
    data = mnist(tmp_path, classes=("8", "3"), per_class=1)
    assert [(s.id, s.label) for s in data.samples] == [
        ("train/00003", 1),
        ("train/00008", 0),
        ("test/00003", 1),
        ("test/00008", 0),
    ]


def test_official_split_keeps_the_test_digits(tmp_path):
    make_mnist(tmp_path, train=40)
    split = make_split(mnist(tmp_path).samples, "official", 0, mask_fraction=0.5)
    assert {sample.part for sample in split.test} == {"test"}
    assert len(split.test) == 20
    assert len(split.train) + len(split.validation) == 40


def test_one_part_is_enough_and_other_sets_of_that_format_are_none(tmp_path):
    folder = make_mnist(tmp_path / "a")
    for file in folder.glob("train*"):
        file.unlink()
    folder.parent.rename(tmp_path / "a" / "FashionMNIST")
    with pytest.raises(DataNotFoundError, match=r"MNIST/raw .*below .*fetch mnist.*--data-root"):
        mnist(tmp_path)
    (tmp_path / "a" / "FashionMNIST").rename(tmp_path / "a" / "MNIST")
    for root in (tmp_path, folder, folder.parent):
        assert len(mnist(root).samples) == 20


def test_reading_by_threads_and_after_a_journey(tmp_path):
    make_mnist(tmp_path)
    data = pickle.loads(pickle.dumps(mnist(tmp_path)))
    with ThreadPoolExecutor(4) as pool:
        pictures = list(pool.map(data.read, data.samples))
    assert [int(p.mask[5].argmax()) // 2 for p in pictures] == [s.label for s in data.samples]


@pytest.mark.parametrize(
    ("file", "damage", "said"),
    [
        ("t10k-images-idx3-ubyte.gz", lambda data: data[:-40], r"t10k-images.*damaged"),
        ("t10k-labels-idx1-ubyte.gz", lambda _: b"<html>", r"t10k-labels.*damaged"),
        (
            "train-labels-idx1-ubyte.gz",
            lambda _: gzip.compress(b"\0\0"),
            "train-labels.*damaged",
        ),
        (
            "train-images-idx3-ubyte.gz",
            lambda data: gzip.compress(gzip.decompress(data)[:-1]),
            "train-images.*damaged",
        ),
        ("train-labels-idx1-ubyte.gz", None, "train-labels.*missing"),
    ],
)
def test_damage_is_named(tmp_path, file, damage, said):
    path = make_mnist(tmp_path) / file
    if damage:
        path.write_bytes(damage(path.read_bytes()))
    else:
        path.unlink()
    with pytest.raises(XaibenchError, match=f"{said}.*fetch mnist"):
        mnist(tmp_path)


def test_images_and_labels_of_different_sets(tmp_path):
    folder = make_mnist(tmp_path)
    other = make_mnist(tmp_path / "other", train=29)
    (other / "train-labels-idx1-ubyte.gz").replace(folder / "train-labels-idx1-ubyte.gz")
    with pytest.raises(XaibenchError, match="30 train images but 29 labels"):
        mnist(tmp_path)


@pytest.mark.parametrize(
    ("spec", "said"),
    [("mnist[classes=3+11]", "no class '11'"), ("mnist[per_class=-1]", "per_class=-1.*choose 0")],
)
def test_wrong_options(tmp_path, spec, said):
    bound = bind("dataset", spec)
    with pytest.raises(XaibenchError, match=said):
        bound.plugin.function(tmp_path, **bound.options)


def test_fetch_gets_what_is_missing_and_tells_what_fails(tmp_path, monkeypatch):
    source = make_mnist(tmp_path / "server")
    files = sorted(source.iterdir())
    official = torchvision.datasets.MNIST
    monkeypatch.setattr(official, "resources", [(file.name, None) for file in files])
    root = tmp_path / "root"
    with serve(source) as address:
        monkeypatch.setattr(official, "mirrors", [f"{address}/"])
        assert fetch_mnist(root) == root / "MNIST" / "raw"
    assert len(mnist(root).samples) == 50
    assert fetch_mnist(root) == root / "MNIST" / "raw"
    with pytest.raises(XaibenchError, match=r"download failed.*train-images-idx3-ubyte\.gz exists"):
        fetch_mnist(tmp_path / "elsewhere")


@real
def test_real_digits_have_thin_strokes_in_all_images():
    data = mnist(Path(os.environ["XAIBENCH_DATA"]))
    tested = [sample for sample in data.samples if sample.part == "test"]
    assert len(tested) == 10_000
    assert np.bincount([s.label for s in tested]).tolist() == [
        980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009,
    ]  # fmt: skip
    shares = [data.read(sample).mask.mean() for sample in tested[::7]]
    assert min(shares) > 0.02
    assert max(shares) < 0.4
