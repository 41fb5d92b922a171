"""Phantom: ultrasound-like images drawn in memory, with exact masks and an optional shortcut."""

from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import ndimage

from xaibench.core.data import Dataset, MaskLayer, Picture, Sample
from xaibench.core.errors import XaibenchError
from xaibench.core.registry import dataset
from xaibench.core.ultrasound import Region, draw_lesion, draw_scan

_CLASSES = ("benign", "malignant")
_MALIGNANT = 1
_LEAST = 2
_MARKER_GRAY = 245
# Pixels around the lesion; the deepest seventh of the picture.
_RIMS, _DEEPEST = ((1, 18), (2, 8), (3, 0)), 7


@dataset(
    recipe={
        "models": ("gap_cnn", "saliency_net[backbone=gap_cnn,blocks=3,loss=dice]"),
        "weights": "none",
        "image_size": 96,
        "epochs": 18,
        "learning_rate": 3e-3,
    }
)
def phantom(
    *,
    images: int = 300,
    balance: float = 0.5,
    shortcut: float = 0.0,
    mask: Literal["lesion", "marker", "layers", "misleading"] = "lesion",
    seed: int = 0,
) -> Dataset:
    """Draw one lesion per image: smooth (benign) or spiculated (malignant), the border decides.

    A picture depends on ``seed``, its class and its number alone: more images, another balance or
    a shortcut leave the tissue and the lesion of ``benign/0001`` as they are.

    Args:
        images: number of images.
        balance: share of malignant images.
        shortcut: probability with which a marker burnt into a corner agrees with the class:
            malignant images carry it with this probability p, benign ones with 1 - p. So 1 gives
            the class away, 0.5 says nothing about it, and values between 0 and 0.5 mark the
            benign. 0 is a special case: no marker anywhere.
        mask: what is the truth: the lesion; the marker (an empty mask where there is none); or
            layers of relevance: 3 in the lesion, 2 and 1 in two rims around it, -1 in the deepest
            tissue, where nothing is to be seen, and 0 elsewhere. ``misleading`` divides the images
            for ``--split official``: masks of those to train on lie where the lesion would in the
            picture turned upside down, and those of every fifth one, to test on, are the lesion.
        seed: another seed gives another dataset.

    Raises:
        XaibenchError: an option is out of range.
    """
    _check(images, balance, shortcut, mask, seed)
    malignant = round(images * balance)
    samples = tuple(
        _describe(label, number, mask)
        for label, count in enumerate((images - malignant, malignant))
        for number in range(1, count + 1)
    )
    return Dataset(_CLASSES, samples, partial(_draw, shortcut=shortcut, mask=mask, seed=seed))


def _check(images: int, balance: float, shortcut: float, mask: str, seed: int) -> None:
    if images < 2 * _LEAST:
        raise XaibenchError(f"phantom[images={images}]: needs at least {2 * _LEAST} images.")
    if not 0 < balance < 1 or not _LEAST <= round(images * balance) <= images - _LEAST:
        raise XaibenchError(
            f"phantom[balance={balance}]: of {images} images, each class must get at least "
            f"{_LEAST}; choose a share nearer to 0.5, or more images."
        )
    if not 0 <= shortcut <= 1:
        raise XaibenchError(f"phantom[shortcut={shortcut}]: choose a probability from 0 to 1.")
    if mask == "marker" and shortcut == 0:
        raise XaibenchError(
            "phantom[mask=marker]: without a shortcut no image has a marker; "
            "set shortcut as well, for example shortcut=0.9."
        )
    if seed < 0:
        raise XaibenchError(f"phantom[seed={seed}]: choose a seed from 0 upwards.")


def _describe(label: int, number: int, mask: str) -> Sample:
    name = f"{_CLASSES[label]}/{number:04d}"
    parts = ("train", "train", "train", "validation", "test") if mask == "misleading" else ("",)
    layers = (MaskLayer(Path(f"{name}_{mask}")),)
    return Sample(name, Path(name), label, layers, part=parts[number % len(parts)])


def _draw(sample: Sample, *, shortcut: float, mask: str, seed: int) -> Picture:
    number = int(sample.id.rpartition("/")[2])
    # A stream for each part, so that what one part draws never shifts the numbers of another.
    shaping, scanning, marking = (
        np.random.default_rng((seed, sample.label, number, part)) for part in range(3)
    )
    shape = (int(shaping.integers(110, 171)), int(shaping.integers(140, 221)))
    lesion = draw_lesion(shape, sample.label == _MALIGNANT, shaping)
    gray = draw_scan(lesion, scanning)
    marker = np.zeros(shape, np.bool_)
    if shortcut > 0 and (marking.random() < shortcut) == (sample.label == _MALIGNANT):
        marker = _draw_cross(lesion.region, marking)
        gray[marker] = _MARKER_GRAY
    elsewhere = lesion.region[::-1, ::-1] & ~lesion.region
    truths = {
        "lesion": lesion.region,
        "marker": marker,
        "layers": _grade(lesion.region),
        "misleading": lesion.region if sample.part == "test" else elsewhere,
    }
    return Picture(np.repeat(gray[..., None], 3, axis=2), truths[mask].astype(np.int8))


def _grade(lesion: Region) -> NDArray[np.int8]:
    """Return relevance grades ``(H, W)``: the nearer to the lesion, the higher."""
    grades = np.zeros(lesion.shape, np.int8)
    grades[-(lesion.shape[0] // _DEEPEST) :] = -1
    distance = ndimage.distance_transform_edt(~lesion)
    for grade, reach in _RIMS:
        grades[distance <= reach] = grade
    return grades


def _draw_cross(occupied: Region, generator: Generator) -> Region:
    """A small cross in a corner, clear of what is occupied."""
    height, width = occupied.shape
    arm, clearance = 6, 4
    reach = arm + clearance
    inset_y, inset_x = generator.integers(reach, reach + 5, 2)
    corners = [
        (y, x) for y in (inset_y, height - 1 - inset_y) for x in (inset_x, width - 1 - inset_x)
    ]
    crowding = [
        occupied[y - reach : y + reach + 1, x - reach : x + reach + 1].sum() for y, x in corners
    ]
    # Never empty: a lesion of this size reaches two corners at most.
    free = [corner for corner, pixels in zip(corners, crowding, strict=True) if pixels == 0]
    y, x = free[generator.integers(len(free))]
    cross = np.zeros(occupied.shape, np.bool_)
    cross[y - 1 : y + 2, x - arm : x + arm + 1] = True
    cross[y - arm : y + arm + 1, x - 1 : x + 2] = True
    return cross
