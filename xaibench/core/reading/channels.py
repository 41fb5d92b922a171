"""Images of other channels than red, green and blue: arrays and TIFF, read as ``(H, W, n)``."""

from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from xaibench.core.errors import XaibenchError
from xaibench.core.files import open_plain
from xaibench.core.reading.arrays import reading_numbers

COLORS = 3
_DIMENSIONS = 3
_TIFF, _ARRAY = (".tif", ".tiff"), ".npy"
_ORIENTATION, _UPRIGHT = 274, 1
_MEANT = (tifffile.PHOTOMETRIC.MINISBLACK, tifffile.PHOTOMETRIC.RGB)
_OPACITY = (tifffile.EXTRASAMPLE.ASSOCALPHA, tifffile.EXTRASAMPLE.UNASSALPHA)


def read_channels(path: Path, channels: int) -> NDArray[np.uint8]:
    """Return the image as ``(H, W, n)`` uint8; 16 bits are scaled down as those of grays are.

    Raises:
        XaibenchError: as `channels_shape`, or its pixels can't be read.
    """
    values = _open(path, channels, whole=True)
    small: NDArray[np.uint8] = np.asarray(values >> 8 if values.itemsize > 1 else values, np.uint8)
    return small


def channels_shape(path: Path, channels: int) -> tuple[int, int]:
    """Return height and width by a file's header.

    Raises:
        XaibenchError: it is no array ``(H, W, n)`` and no TIFF of n channels or pages, it has
            another number of channels, or nothing says what its numbers mean.
    """
    height, width = _open(path, channels, whole=False).shape[:2]
    return height, width


def in_color(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return what people are shown of ``(..., n)``: colors, or else the channels' mean as gray."""
    if image.shape[-1] == COLORS:
        return image
    gray = np.rint(image.mean(axis=-1, keepdims=True)).astype(np.uint8)
    return np.asarray(gray.repeat(COLORS, axis=-1))


def _open(path: Path, channels: int, *, whole: bool) -> NDArray[Any]:
    name = path.name.lower()
    if not name.endswith((*_TIFF, _ARRAY)):
        raise XaibenchError(
            f"{path}: with channels={channels} images are TIFF or arrays (.npy) of so many "
            "channels; the fourth of a picture such as PNG is its opacity."
        )
    with reading_numbers(path):
        values = _array(path) if name.endswith(_ARRAY) else _tiff(path, whole=whole)
    if values.ndim != _DIMENSIONS or values.shape[2] != channels:
        raise XaibenchError(
            f"{path}: an image of shape {values.shape}, where (H, W, {channels}) is expected by "
            f"channels={channels}; name the number that it has, the channels last."
        )
    if values.dtype not in (np.uint8, np.uint16):
        raise XaibenchError(
            f"{path}: numbers of type {values.dtype}, and nothing says which of them is white; "
            "save them with 8 or 16 bits, from 0."
        )
    return values


def _array(path: Path) -> NDArray[Any]:
    with open_plain(path):  # what is no plain file is refused before numpy waits for it
        values: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    _refuse_huge(path, values.shape)
    return values


def _tiff(path: Path, *, whole: bool) -> NDArray[Any]:
    """Return pixels, or an empty stand-in of their shape and type, which takes no memory."""
    with open_plain(path) as stream, tifffile.TiffFile(stream) as file:
        if len(file.series) != 1:
            raise XaibenchError(f"{path}: it holds {len(file.series)} pictures; save one alone.")
        series, page = file.series[0], file.pages.first
        if page.photometric not in _MEANT or set(page.extrasamples) & set(_OPACITY):
            kind = tifffile.PHOTOMETRIC(page.photometric).name
            raise XaibenchError(
                f"{path}: its channels are {kind}, or opacity; save what was measured, each "
                "channel as a gray."
            )
        turn = page.tags.get(_ORIENTATION)
        if turn is not None and turn.value != _UPRIGHT:
            raise XaibenchError(f"{path}: its EXIF rotation is {turn.value}; save it upright.")
        _refuse_huge(path, series.shape)
        axes = series.get_axes(squeeze=True)
        shape = series.get_shape(squeeze=True)
        values = series.asarray().reshape(shape) if whole else np.broadcast_to(
            np.zeros((), series.dtype), shape
        )  # fmt: skip
    return values if axes[-2:] != "YX" else np.moveaxis(values, 0, -1)


def _refuse_huge(path: Path, shape: tuple[int, ...]) -> None:
    """Refuse what Pillow refuses of pictures, before it is unpacked."""
    most = 2 * COLORS * (Image.MAX_IMAGE_PIXELS or 0)
    if most and prod(shape) > most:
        raise XaibenchError(
            f"{path}: refused, its {prod(shape)} numbers exceed the limit of {most}; scale it down "
            "or remove it."
        )
