"""Which slice of a volume is read, of its masks as of the image."""

from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xaibench.core.data import IGNORED, Dataset, MaskLayer, Picture, Sample, read_files
from xaibench.core.errors import XaibenchError
from xaibench.core.reading.arrays import count_slices, is_volume, open_volume

MIDDLE, LARGEST = "middle", "largest"


def choose_slices(dataset: Dataset, rule: str) -> Dataset:
    """Return the dataset with one slice of each volume, by a rule, and a note that says which.

    Args:
        dataset: its files are read as they lie.
        rule: ``middle``; the number of a slice, from the feet and from 0; or ``largest``, the slice
            with the most of its mask, the lowest of equal ones, and the middle where nothing is
            marked.

    Raises:
        XaibenchError: the rule is none of these or fits no volume, a volume has no such slice, or
            a mask has other slices than its image.
    """
    volumes = [sample for sample in dataset.samples if is_volume(sample.path)]
    if rule not in (MIDDLE, LARGEST) and not rule.isdecimal():
        raise XaibenchError(
            f"folder[slice={rule}]: write middle, largest, or the number of a slice from 0."
        )
    if rule != MIDDLE and (not volumes or dataset.read is not read_files):
        raise XaibenchError(
            f"folder[slice={rule}]: there are no volumes (NIfTI) here; leave the option out."
        )
    for sample in volumes:
        _check_slices(sample, rule)
    if not volumes:
        return dataset
    which = {MIDDLE: "middle slice", LARGEST: "slice with the most of its mask"}
    other = " (slice= takes another)" if rule == MIDDLE else ""
    said = (
        f"of {len(volumes)} volumes (NIfTI) the {which.get(rule, f'slice {rule}')} along the body "
        f"is read{other}."
    )
    read = dataset.read if rule == MIDDLE else partial(read_slice, rule=rule)
    return replace(dataset, read=read, notes=(*dataset.notes, said))


def read_slice(sample: Sample, rule: str) -> Picture:
    """Read a sample as `read_files` does, of a volume the slice that the rule names."""
    if not is_volume(sample.path):
        return read_files(sample)
    return read_files(sample, _largest(sample.masks) if rule == LARGEST else int(rule))


def _check_slices(sample: Sample, rule: str) -> None:
    count = _count(sample.path)
    if rule.isdecimal() and count and int(rule) >= count:
        raise XaibenchError(
            f"folder[slice={rule}]: {sample.path} has slices from 0 to {count - 1}; choose one "
            "that all volumes have, or largest."
        )
    for path in [layer.path for layer in sample.masks if is_volume(layer.path)]:
        marked = _count(path)
        if marked and count and marked != count:
            raise XaibenchError(
                f"{path}: this mask has {marked} slices, but its image {sample.path.name} has "
                f"{count}; give it the slices of the image."
            )


def _count(path: Path) -> int:
    """Return how many slices a volume has; 0 of a damaged one, which whoever reads it names."""
    try:
        return count_slices(open_volume(path))
    except Exception:  # damaged files raise whatever they like
        return 0


@lru_cache(maxsize=4096)  # of small numbers, as each epoch asks for all
def _largest(masks: tuple[MaskLayer, ...]) -> int | None:
    """Return the slice in which most is marked; None where nothing is."""
    total: NDArray[np.int64] = np.zeros(1, np.int64)
    for layer in masks:
        if layer.grade != IGNORED and is_volume(layer.path):
            volume = np.asarray(open_volume(layer.path).dataobj)
            numbers = np.rint(volume).reshape(*volume.shape[:2], -1)
            marked = numbers > 0 if layer.value is None else np.isin(numbers, layer.value)
            total = total + marked.sum(axis=(0, 1))
    return int(np.argmax(total)) if total.any() else None
