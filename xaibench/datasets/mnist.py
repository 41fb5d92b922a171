"""MNIST: handwritten digits; where the stroke is, is the evidence."""

import gzip
import zlib
from collections.abc import Iterator
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torchvision.datasets import MNIST

from xaibench.core.data import Dataset, MaskLayer, Picture, Sample
from xaibench.core.errors import XaibenchError
from xaibench.core.reading.choice import check_per_class, choose_classes, keep_first
from xaibench.core.reading.search import find_folder, not_found
from xaibench.core.reading.vision_fetch import download
from xaibench.core.registry import dataset

_DIGITS = tuple("0123456789")
_PARTS = {"train": "train", "test": "t10k"}
_IMAGES, _LABELS = "images-idx3", "labels-idx1"
_CONTENTS = {3: _IMAGES, 1: _LABELS}
"""By the number of dimensions."""
_STROKE = 127


def fetch_mnist(root: Path) -> Path:
    """Download what is missing of MNIST by torchvision; return its folder ``MNIST/raw``.

    Raises:
        XaibenchError: no connection, no space, or a file that is damaged.
    """
    folder = _find(root) or root / "MNIST" / "raw"
    if not all(_file(folder, part, content) for part in _PARTS for content in _CONTENTS.values()):
        place = folder.parent.parent
        example = folder / "train-images-idx3-ubyte.gz"
        download(partial(MNIST, place, download=True), place, MNIST.mirrors[0], example)
    for part in _PARTS:
        _load(folder, part)
    return folder


@dataset(
    paper="lecun1998mnist",
    fetch=fetch_mnist,
    recipe={"weights": "none", "image_size": 32, "augmentation": ("rotation", "crop")},
)
def mnist(root: Path, *, classes: tuple[str, ...] = _DIGITS, per_class: int = 0) -> Dataset:
    """Read the digits in their official files, packed or not, anywhere below ``root``.

    The mask is the stroke: what is brighter than mid-gray. Where only the training or only the test
    digits are there, these are all.

    Args:
        root: folder that holds all data, or ``MNIST/raw`` itself.
        classes: digits to use; labels count in this order.
        per_class: keep the first so many of each digit in each of training and test; 0 keeps all.

    Raises:
        XaibenchError: they are not there or damaged, or an option is wrong.
    """
    classes = choose_classes("mnist", _DIGITS, classes)
    check_per_class("mnist", per_class)
    folder = _find(root)
    if folder is None:
        raise not_found("mnist", "MNIST/raw (with t10k-images-idx3-ubyte.gz and so on)", root)
    samples = (sample for part in _PARTS for sample in _list_part(folder, part, classes))
    return Dataset(classes, keep_first(samples, per_class), partial(_read, folder=folder))


def _list_part(folder: Path, part: str, classes: tuple[str, ...]) -> Iterator[Sample]:
    file = _file(folder, part, _IMAGES)
    if file is not None:
        labels = {int(digit): label for label, digit in enumerate(classes)}
        masks = (MaskLayer(file),)
        for number, digit in enumerate(_load(folder, part)[1].tolist()):
            if digit in labels:
                yield Sample(f"{part}/{number:05d}", file, labels[digit], masks, part=part)


def _read(sample: Sample, *, folder: Path) -> Picture:
    gray = _load(folder, sample.part)[0][int(sample.id.rpartition("/")[2])]
    return Picture(np.repeat(gray[..., None], 3, axis=2), (gray > _STROKE).astype(np.int8))


def _find(root: Path) -> Path | None:
    return find_folder(
        root.absolute(),  # so that the name of "." is known
        lambda folder: (
            folder.match("MNIST/raw") and any(_file(folder, part, _IMAGES) for part in _PARTS)
        ),
    )


def _file(folder: Path, part: str, content: str) -> Path | None:
    """Return the packed file, whose checksum tells a broken download, before the unpacked one."""
    name = f"{_PARTS[part]}-{content}-ubyte"
    return next(
        (file for ending in (".gz", "") if (file := folder / (name + ending)).is_file()), None
    )


@lru_cache(maxsize=len(_PARTS))
def _load(folder: Path, part: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return images ``(N, 28, 28)`` and digits ``(N,)``; one copy serves all that read them."""
    images, digits = (_unpack(folder, part, dimensions) for dimensions in _CONTENTS)
    if len(images) != len(digits):
        raise XaibenchError(
            f"{folder}: {len(images)} {part} images but {len(digits)} labels; remove these files "
            "and run `xaibench fetch mnist`."
        )
    return images, digits


def _unpack(folder: Path, part: str, dimensions: int) -> NDArray[np.uint8]:
    content = _CONTENTS[dimensions]
    file = _file(folder, part, content)
    if file is None:
        raise XaibenchError(
            f"{folder}: {_PARTS[part]}-{content}-ubyte.gz is missing; run `xaibench fetch mnist`."
        )
    try:
        data = gzip.decompress(file.read_bytes()) if file.suffix else file.read_bytes()
        shape = np.frombuffer(data, ">u4", dimensions, offset=4)
        return np.frombuffer(data, np.uint8, offset=4 + 4 * dimensions).reshape(shape)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise XaibenchError(
            f"{file}: damaged ({error}); remove it and run `xaibench fetch mnist`."
        ) from error
