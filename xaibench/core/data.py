"""Samples, and the datasets that hold them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xaibench.core.errors import XaibenchError
from xaibench.core.reading.images import (
    check_frames,
    check_upright,
    read_image,
    read_mask,
    turn_in_words,
)
from xaibench.core.visible import is_visible, visible

IGNORED = int(np.iinfo(np.int8).min)
"""The grade of pixels that no metric counts, and that no training takes for evidence."""
_UNMARKED = IGNORED - 1


class Box(NamedTuple):
    """A bounding box in pixels of the original image, right and bottom exclusive."""

    left: int
    top: int
    right: int
    bottom: int


class MaskLayer(NamedTuple):
    """One annotation and the relevance grade of its foreground.

    Without ``value`` the foreground is what is brighter than mid-gray; with it, the pixels of
    exactly that gray (or one of several), or of that index where the file has a palette, so that
    one file can hold several layers. The grade `IGNORED` marks pixels that no metric counts. The
    grays of a ``soft`` mask are shares of which half and more counts, whatever values there are.
    """

    path: Path
    grade: int = 1
    value: int | tuple[int, ...] | None = None
    soft: bool = False


@dataclass(frozen=True, slots=True)
class Sample:
    """One image and what is known about it.

    ``id`` is the path below the dataset's root without its ending. ``group`` names the patient or
    the group of near-duplicates; samples of one group stay in one part of a split. An empty group
    means that the sample has no duplicates. ``part`` is where its publishers put it (train,
    validation or test), for ``--split official``.
    """

    id: str
    path: Path
    label: int
    masks: tuple[MaskLayer, ...] = ()
    boxes: tuple[Box, ...] = ()
    group: str = ""
    part: str = ""

    @property
    def annotated(self) -> bool:
        """Whether anything says where the evidence lies (an empty mask says so, too)."""
        return bool(self.masks or self.boxes)


class Picture(NamedTuple):
    """A sample's pixels: image ``(H, W, 3)`` uint8, mask ``(H, W)`` int8 grades or None."""

    image: NDArray[np.uint8]
    mask: NDArray[np.int8] | None


def read_files(sample: Sample, slice_at: int | None = None) -> Picture:
    """Read a sample's image and merge its masks and boxes: the highest grade wins.

    Of volumes it is the slice of that number (`read_image`).

    Raises:
        XaibenchError: a file is unreadable, or a mask does not fit its image, or an EXIF rotation
            leaves open whether it does.
    """
    image = read_image(sample.path, slice_at)
    if not sample.annotated:
        return Picture(image, None)
    return Picture(image, merge_annotations(sample, image.shape[:2], slice_at))


def merge_annotations(
    sample: Sample, shape: tuple[int, ...], slice_at: int | None = None
) -> NDArray[np.int8]:
    """Return the grades ``(H, W)`` of a sample's masks and boxes together.

    Raises:
        XaibenchError: as `read_files`, for an image of the given shape ``(H, W)``.
    """
    # Below all grades, so that a layer of grade -1 shows on the background, whose grade is 0.
    mask = np.full(shape, _UNMARKED, np.int16)
    for layer in sample.masks:
        foreground = read_mask(layer.path, layer.value, soft=layer.soft, slice_at=slice_at)
        if foreground.shape != mask.shape:
            raise XaibenchError(
                f"{layer.path}: this mask is {_size(foreground)}, but its image {sample.path.name} "
                f"is {_size(mask)}{turn_in_words(sample.path)}; give it the size of the image."
            )
        check_frames(sample.path, layer.path, mask.shape)
        mask[foreground] = np.maximum(mask[foreground], layer.grade)
    if sample.boxes:
        check_upright(sample.path, "boxes")
    for left, top, right, bottom in sample.boxes:
        inside = mask[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
        np.maximum(inside, 1, out=inside)
    mask[mask == _UNMARKED] = 0
    return mask.astype(np.int8)


@dataclass(frozen=True)
class Dataset:
    """Named classes and samples; ``read`` gives a sample's pixels, from files unless replaced.

    ``notes`` are sentences for the plan and the audit: what was found that is in no sample. The
    groups of an ``audited`` dataset hold its near-duplicates, so that nobody has to look for them.
    Samples named ``apart`` are for testing alone; where there are any, no others are tested on.
    """

    classes: tuple[str, ...]
    samples: tuple[Sample, ...]
    read: Callable[[Sample], Picture] = field(default=read_files)
    notes: tuple[str, ...] = ()
    audited: bool = False
    apart: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Refuse what would spoil a run later: no samples, repeated ids, unknown labels."""
        if not self.samples:
            raise XaibenchError("the dataset has no samples; check its folder and its options.")
        for name in self.classes:
            _check_visible("class", name)
        seen: set[str] = set()
        for sample in self.samples:
            if sample.id in seen:
                raise XaibenchError(f"two samples are called {sample.id!r}; rename one of them.")
            _check_visible("sample", sample.id)
            _check_visible("group", sample.group)
            seen.add(sample.id)
            if not 0 <= sample.label < len(self.classes):
                raise XaibenchError(
                    f"sample {sample.id!r} has label {sample.label}, "
                    f"but there are {len(self.classes)} classes."
                )

    @property
    def annotated(self) -> bool:
        """Whether at least one sample has a mask or a box."""
        return any(sample.annotated for sample in self.samples)


def _check_visible(what: str, name: str) -> None:
    if not is_visible(name):
        raise XaibenchError(
            f"the {what} '{visible(name, lines=False)}' has characters that no table can hold "
            "(control characters, or bytes that are no UTF-8); rename its file or folder."
        )


def _size(array: NDArray[np.generic]) -> str:
    return f"{array.shape[1]}x{array.shape[0]}"
