"""Samples, and the datasets that hold them."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
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
UNCERTAIN = -1
"""The label of a class in an image where nobody can tell whether it shows."""
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


class ClassLabel(NamedTuple):
    """What is known of one class in an image that may show several.

    Attributes:
        label: 1 where the image shows it, 0 where it doesn't, `UNCERTAIN` where nobody can tell.
        masks: where it shows; none at all say that it shows nowhere, and None that nobody looked.
        boxes: likewise, beside or in place of masks.
    """

    label: int
    masks: tuple[MaskLayer, ...] | None = None
    boxes: tuple[Box, ...] = ()

    @property
    def annotated(self) -> bool:
        """Whether anything says where the class shows; an empty mask says so, too."""
        return self.masks is not None or bool(self.boxes)


@dataclass(frozen=True, slots=True)
class Sample:
    """One image and what is known about it.

    ``id`` is the path below the dataset's root without its ending. ``group`` names the patient or
    the group of near-duplicates; samples of one group stay in one part of a split. An empty group
    means that the sample has no duplicates. ``part`` is where its publishers put it (train,
    validation or test), for ``--split official``.

    Where images may show several classes ``class_labels`` has one for each class. Then ``masks``
    and ``boxes`` are those of all classes together, and ``label`` is the first that it shows.
    """

    id: str
    path: Path
    label: int
    masks: tuple[MaskLayer, ...] = ()
    boxes: tuple[Box, ...] = ()
    group: str = ""
    part: str = ""
    class_labels: tuple[ClassLabel, ...] = ()

    @property
    def annotated(self) -> bool:
        """Whether anything says where the evidence lies (an empty mask says so, too)."""
        if self.class_labels:
            return any(each.annotated for each in self.class_labels)
        return bool(self.masks or self.boxes)

    @property
    def layers(self) -> tuple[MaskLayer, ...]:
        """All mask layers, those of each class among them."""
        return (*self.masks, *(layer for f in self.class_labels for layer in f.masks or ()))

    def of_class(self, index: int) -> "Sample":
        """Return the sample as an image of one of its classes alone, with that class's mask."""
        each = self.class_labels[index]
        layers = each.masks or ()
        return replace(self, label=index, masks=layers, boxes=each.boxes, class_labels=())


Mask = NDArray[np.int8]


class Picture(NamedTuple):
    """A sample's pixels: image ``(H, W, 3)`` uint8, mask ``(H, W)`` int8 grades or None.

    ``class_masks`` has one for each class where images may show several, None without annotation.
    """

    image: NDArray[np.uint8]
    mask: Mask | None
    class_masks: tuple[Mask | None, ...] = ()


def read_files(sample: Sample, slice_at: int | None = None, channels: int = 3) -> Picture:
    """Read a sample's image and merge its masks and boxes: the highest grade wins.

    Of volumes it is the slice of that number; ``channels`` are as of `read_image`.

    Raises:
        XaibenchError: a file is unreadable, or a mask does not fit its image, or an EXIF rotation
            leaves open whether it does.
    """
    image = read_image(sample.path, slice_at, channels)
    if not sample.annotated:
        return Picture(image, None, (None,) * len(sample.class_labels))
    merge = partial(merge_annotations, shape=image.shape[:2], slice_at=slice_at)
    each = tuple(
        merge(sample.of_class(index)) if each.annotated else None
        for index, each in enumerate(sample.class_labels)
    )
    for label, mask in zip(sample.class_labels, each, strict=True):
        if label.label == 0 and mask is not None and (mask > 0).any():
            raise XaibenchError(_denied(sample, label))
    return Picture(image, merge(sample), each)


def _denied(sample: Sample, label: ClassLabel) -> str:
    where = ", ".join(dict.fromkeys(str(layer.path) for layer in label.masks or ())) or "a box"
    return (
        f"{sample.path}: {where} marks a class that isn't there by the image's label, 0; make the "
        "label 1 or -1, or leave the mask out."
    )


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
    Images have ``channels``, gray ones 3.
    """

    classes: tuple[str, ...]
    samples: tuple[Sample, ...]
    read: Callable[[Sample], Picture] = field(default=read_files)
    notes: tuple[str, ...] = ()
    audited: bool = False
    apart: frozenset[str] = frozenset()
    channels: int = 3

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
            if len(sample.class_labels) != (len(self.classes) if self.several_labels else 0):
                raise XaibenchError(
                    f"sample {sample.id!r} has {len(sample.class_labels)} labels, but there are "
                    f"{len(self.classes)} classes; each image needs one for each, or none has any."
                )

    @property
    def several_labels(self) -> bool:
        """Whether an image may show several classes, or none."""
        return bool(self.samples[0].class_labels)

    @cached_property
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
