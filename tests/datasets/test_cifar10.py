"""CIFAR-10: torchvision's batches, none of which is opened before its checksum holds."""

import os
import pickle
import tarfile

import numpy as np
import pytest
from local_server import serve
from tiny_sets import make_cifar10
from torchvision.datasets import CIFAR10

from xaibench.core.errors import DataNotFoundError, XaibenchError
from xaibench.datasets.cifar10 import cifar10, fetch_cifar10


def test_pictures_labels_and_parts(tmp_path, monkeypatch):
    make_cifar10(tmp_path / "below", monkeypatch)
    data = cifar10(tmp_path)
    assert not data.annotated
    assert data.classes[9] == "truck"
    assert [(s.id, s.label, s.part) for s in data.samples[99:101]] == [
        ("train/00099", 9, "train"),
        ("test/00000", 0, "test"),
    ]
    image, mask = data.read(data.samples[107])[:2]
    assert mask is None
    assert image.shape == (32, 32, 3)
    assert image[0, 0].tolist() == [70, 255, 0]
    assert np.argwhere(image[..., 1]).max(axis=0).tolist() == [7, 3]


def test_classes_and_number_of_each_in_each_part(tmp_path, monkeypatch):
    make_cifar10(tmp_path, monkeypatch)
    data = cifar10(tmp_path, classes=("dog", "cat"), per_class=2)
    assert [(s.id, s.label) for s in data.samples] == [
        ("train/00003", 1), ("train/00005", 0), ("train/00013", 1), ("train/00015", 0),
        ("test/00003", 1), ("test/00005", 0), ("test/00013", 1), ("test/00015", 0),
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["data_batch_3", "test_batch", "batches.meta"])
def test_what_is_not_the_official_file_is_never_unpickled(tmp_path, monkeypatch, name):
    file = make_cifar10(tmp_path, monkeypatch) / name
    trap = tmp_path / "trap"
    file.write_bytes(pickle.dumps(Trap(trap)))
    with pytest.raises(XaibenchError, match=f"{name}: missing, or not the official.*fetch cifar10"):
        cifar10(tmp_path)
    assert not trap.exists()
    pickle.loads(file.read_bytes())  # the trap would have closed
    assert trap.exists()
    file.unlink()
    with pytest.raises(XaibenchError, match=name):
        cifar10(tmp_path)


class Trap:
    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_absent_data_and_wrong_options(tmp_path):
    with pytest.raises(DataNotFoundError, match=r"cifar-10-batches-py.*fetch cifar10.*www\.cs"):
        cifar10(tmp_path)
    with pytest.raises(XaibenchError, match=r"no class 'dogs'.*did you mean 'dog'"):
        cifar10(tmp_path, classes=("dogs", "cat"))
    with pytest.raises(XaibenchError, match="per_class=-2"):
        cifar10(tmp_path, per_class=-2)


def test_fetch_unpacks_mends_and_tells_what_fails(tmp_path, monkeypatch):
    source = make_cifar10(tmp_path / "server", monkeypatch)
    archive = tmp_path / "server" / CIFAR10.filename
    with tarfile.open(archive, "w:gz", compresslevel=1) as file:
        file.add(source, source.name)
    monkeypatch.setattr(CIFAR10, "tgz_md5", None)
    root = tmp_path / "root"
    folder = root / CIFAR10.base_folder
    with serve(archive.parent) as address:
        monkeypatch.setattr(CIFAR10, "url", f"{address}/{archive.name}")
        assert fetch_cifar10(root) == folder
        assert len(cifar10(root).samples) == 120
        (folder / "test_batch").write_bytes(b"half")
        assert fetch_cifar10(root) == folder
    assert fetch_cifar10(root) == folder
    with pytest.raises(XaibenchError, match=r"download failed.*data_batch_1 exists"):
        fetch_cifar10(tmp_path / "elsewhere")
