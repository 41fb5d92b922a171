"""The images that Pascal VOC 2012 and the Semantic Boundaries Dataset list, and their classes."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torchvision.datasets import SBDataset, VOCSegmentation

from xaibench.core.errors import XaibenchError
from xaibench.core.reading.images import read_values
from xaibench.core.reading.matlab import read_matlab

YEAR = "2012"
CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train",
    "tvmonitor",
)  # fmt: skip
"""In the order of their values, 1 to 20."""
_VOID = 255
_PARTS = {"train": "train", "val": "test"}
"""Masks of VOC's own test images were never published, so that its validation part is the test."""


class Entry(NamedTuple):
    """One image of a published list, and the file that tells the class of each pixel."""

    name: str
    part: str
    image: Path
    truth: Path


def list_voc(place: Path) -> list[Entry]:
    """Return the images with segmentations below the folder that holds ``VOCdevkit``.

    Raises:
        XaibenchError: a list is missing, or a file that it names.
    """
    remedy, entries = "run `xaibench fetch voc`", list[Entry]()
    for listed, part in _PARTS.items():
        try:
            found = VOCSegmentation(place, year=YEAR, image_set=listed)
        except OSError as error:
            raise XaibenchError(f"{error.filename}: {error.strerror}; {remedy}.") from error
        entries += _pair(found.images, found.targets, part, remedy)
    return entries


def list_sbd(folder: Path) -> list[Entry]:
    """Return all images of SBD, for training; it divides them in another way than VOC.

    Raises:
        XaibenchError: a list names a file that is missing.
    """
    remedy, entries = f"unpack {SBDataset.url} again", list[Entry]()
    for listed in ("train", "val"):
        found = SBDataset(folder, image_set=listed, mode="segmentation")
        entries += _pair(found.images, found.masks, "train", remedy)
    return entries


def read_truth(path: Path) -> NDArray[np.generic]:
    """Return the class of each pixel, ``(H, W)``: 0 background, 1 to 20, 255 void.

    Raises:
        XaibenchError: the file is unreadable.
    """
    if path.suffix == ".mat":
        return np.asarray(read_matlab(path, "GTcls").Segmentation)
    return read_values(path)


@cache
def measure(truth: Path) -> dict[int, int]:
    """Return how many pixels each class covers; remembered, as every job of a run asks again.

    Raises:
        XaibenchError: the file is unreadable, or holds what is no class.
    """
    pixels = np.bincount(read_truth(truth).ravel())
    covered = {int(value): int(pixels[value]) for value in np.flatnonzero(pixels)}
    for value in covered:
        if value > len(CLASSES) and value != _VOID:
            raise XaibenchError(
                f"{truth}: it holds the value {value}, but classes are 0 to {len(CLASSES)} and "
                f"{_VOID} void; get the file as it was published, with its palette."
            )
    return {value: covered[value] for value in range(1, len(CLASSES) + 1) if value in covered}


def _pair(images: list[str], truths: list[str], part: str, remedy: str) -> Iterator[Entry]:
    for image, truth in zip(map(Path, images), map(Path, truths), strict=True):
        for file in (image, truth):
            if not file.is_file():
                raise XaibenchError(f"{file}: no such file, though the list names it; {remedy}.")
        yield Entry(image.stem, part, image, truth)
