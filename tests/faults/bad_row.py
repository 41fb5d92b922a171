"""What a row of the tables of bad inputs is, and the files that many of them begin with."""

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image

SIDES = (24, 32)
"""Height and width of the pictures."""


class Bad(NamedTuple):
    """One bad input: what is called in an empty folder, and what makes the input there before.

    A command that begins with ``read`` reads every picture of a dataset ``folder`` instead. What
    it must say is in ``answers.toml``.
    """

    name: str
    command: str
    make: Callable[[], object] = lambda: None


def text(path: str, content: str | bytes) -> Callable[[], object]:
    """Return what writes a file, and scans beside it."""

    def make() -> None:
        scans()
        written(path, content)

    return make


def written(path: str, content: str | bytes) -> Path:
    """Write a file."""
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def scans(each: int = 2) -> None:
    """Draw two classes of scans with a lopsided mask beside each."""
    for kind in ("a", "b"):
        for number in range(each):
            pixels = np.random.default_rng(number).integers(0, 256, SIDES, np.uint8)
            drawn(f"scans/{kind}/{number}.png", pixels)
            drawn(f"scans/{kind}/{number}_mask.png", lopsided())


def lopsided(value: int = 255) -> np.ndarray:
    """Return a region that neither a mirror nor a transposition leaves as it is."""
    region = np.zeros(SIDES, np.uint8)
    region[2:7, 3:20] = region[7:15, 3:6] = value
    return region


def drawn(path: str, pixels: np.ndarray, **how: object) -> Path:
    """Save a picture."""
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(file, **how)
    return file


def turned(orientation: int) -> Image.Exif:
    """Return EXIF data that tell viewers to turn a picture."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


class Evil:
    """Leaves a file where it is unpickled."""

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.mkdir, ("UNPICKLED",)


def evil_pickle(path: str) -> None:
    """Write a pickle that carries code."""
    written(path, pickle.dumps(Evil()))


def evil_weights(path: str) -> None:
    """Write what torch.save makes of tensors beside code."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    torch.save({"conv1.weight": torch.zeros(2), "more": Evil()}, path)
