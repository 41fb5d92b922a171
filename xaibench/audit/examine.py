"""One look at each sample's files: what is wrong with them, and what the audit compares."""

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xaibench.core.data import Dataset, MaskLayer, Sample, read_files
from xaibench.core.errors import XaibenchError
from xaibench.core.reading.channels import in_color
from xaibench.core.reading.duplicates import take_imprint
from xaibench.core.reading.images import (
    check_frames,
    check_upright,
    is_deep,
    read_image,
    read_mask,
)
from xaibench.core.threads import map_by_threads

Severity = Literal["error", "warning", "note"]

_TINT = 4
"""Channels that differ by more are a color; less is what JPEG leaves of a gray."""
_DIM = 32
"""Below are all grays that 12 bits leave when they are scaled down as if they were 16."""
_MOST_THREADS = 8


class AuditFinding(NamedTuple):
    """Something about a sample that a person should know; the row of ``audit.csv``."""

    sample: str
    finding: str
    severity: Severity
    detail: str


@dataclass
class Facts:
    """What a sample's files tell. Small, so that those of a whole dataset fit in memory.

    ``size`` is (height, width), ``colored`` counts pixels, ``marked`` is the share of the picture
    that its masks and boxes mark (None without any, or where one can't be used), ``rim`` the share
    of its outermost pixels that they mark, and ``pixels`` is a checksum of size and pixels. An
    image that can't be read has no imprint, and only findings.
    """

    sample: Sample
    findings: list[AuditFinding] = field(default_factory=list)
    imprint: NDArray[np.uint8] | None = None
    pixels: str = ""
    size: tuple[int, int] = (0, 0)
    colored: int = 0
    deep: bool = False
    marked: float | None = None
    rim: float = 0.0

    def add(self, finding: str, severity: Severity, detail: str) -> None:
        """Write down a finding of this sample."""
        self.findings.append(AuditFinding(self.sample.id, finding, severity, detail))


def examine_all(dataset: Dataset) -> Iterator[Facts]:
    """Read each sample once, by threads, and yield what was found in the dataset's order."""
    threads = min(_MOST_THREADS, os.cpu_count() or 1)
    yield from map_by_threads(lambda sample: examine(dataset, sample), dataset.samples, threads)


def examine(dataset: Dataset, sample: Sample) -> Facts:
    """Read one sample. What can't be read is a finding, never an error."""
    facts = Facts(sample)
    # A reader of its own gives image and mask together; files tell more one by one.
    in_files = dataset.read is read_files
    try:
        if in_files:
            image, mask = read_image(sample.path), None
        else:
            image, mask, _ = dataset.read(sample)
        _describe(facts, image)
        if in_files:
            facts.deep = is_deep(sample.path)
    except Exception as error:  # damaged files raise whatever they like
        facts.add("unreadable_image", "error", _say(error))
        return facts
    if facts.deep and image.max() < _DIM:
        detail = f"of 16 bits, yet its brightest gray is {image.max()} of 255; stretch its grays"
        facts.add("dark_image", "warning", detail)
    if in_files and sample.annotated:
        _measure(facts, _merge_masks(facts))
    elif mask is not None:
        _measure(facts, mask > 0)
    return facts


def _describe(facts: Facts, image: NDArray[np.uint8]) -> None:
    facts.size = (image.shape[0], image.shape[1])
    colors = in_color(image)
    facts.colored = int((_spread(colors) > _TINT).sum())
    digest = hashlib.sha256(repr(image.shape).encode())
    digest.update(image.tobytes())
    facts.pixels = digest.hexdigest()
    facts.imprint = take_imprint(colors)


def _spread(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return how far the channels lie apart, ``(H, W)``, channel by channel as that is fastest."""
    red, green, blue = (image[..., channel] for channel in range(3))
    highest = np.maximum(np.maximum(red, green), blue)
    return highest - np.minimum(np.minimum(red, green), blue)


def _measure(facts: Facts, marked: NDArray[np.bool_] | None) -> None:
    if marked is not None:
        rim = np.concatenate([marked[0], marked[-1], marked[:, 0], marked[:, -1]])
        facts.marked, facts.rim = float(marked.mean()), float(rim.mean())


def _merge_masks(facts: Facts) -> NDArray[np.bool_] | None:
    """Return what masks and boxes mark as evidence, ``(H, W)``; None where one can't be used."""
    marked, usable = np.zeros(facts.size, np.bool_), True
    for layer in facts.sample.masks:
        try:
            foreground = read_mask(layer.path, layer.value, soft=layer.soft)
        except Exception as error:  # as above
            facts.add("unreadable_mask", "error", _say(error))
            usable = False
            continue
        if misfit := _misfit(facts, layer, foreground.shape):
            facts.add("misfitting_mask", "error", misfit)
            usable = False
        elif layer.grade > 0:
            marked |= foreground
    height, width = facts.size
    if facts.sample.boxes and (misfit := _said_by(check_upright, facts.sample.path, "boxes")):
        facts.add("misfitting_box", "error", misfit)
        usable = False
    for left, top, right, bottom in facts.sample.boxes:
        if left < 0 or top < 0 or right > width or bottom > height:
            detail = f"box ({left}, {top}, {right}, {bottom}) leaves the image {_size(facts.size)}"
            facts.add("misfitting_box", "warning", detail)
        marked[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = True
    return marked if usable else None


def _misfit(facts: Facts, layer: MaskLayer, shape: tuple[int, ...]) -> str:
    """Say why a mask does not lie on its image, or nothing."""
    if shape != facts.size:
        return f"{layer.path.name} is {_size(shape)}, the image {_size(facts.size)}"
    return _said_by(check_frames, facts.sample.path, layer.path, shape)


def _said_by(check: Callable[..., None], *given: object) -> str:
    try:
        check(*given)
    except XaibenchError as error:
        return str(error)
    return ""


def _say(error: Exception) -> str:
    said = " ".join(str(error).split())
    return said if isinstance(error, XaibenchError) else f"{type(error).__name__}: {said}"


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"
