"""Files that hold numbers rather than pictures: numpy's arrays, DICOM and NIfTI."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from math import prod
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from xaibench.core.errors import XaibenchError
from xaibench.core.files import check_plain_file

Numbers = NDArray[Any]
_Reader = Callable[[Path, bool], Image.Image]
_CHANNELS, _DEEPEST = 3, 65535
_VOLUME = 3
_MOST_IN_A_VOLUME = 2**29  # numbers; a scan of 512 x 512 x 1,500 has 393 million


def open_array(path: Path, *, as_stored: bool, slice_at: int | None = None) -> Image.Image | None:
    """Return the picture of such a file in gray or RGB; None where its ending says another kind.

    Args:
        path: the file.
        as_stored: keep the numbers, as a mask's mean something each.
        slice_at: which slice of a volume, from the feet and from 0; by default the middle one.

    Raises:
        XaibenchError: it can't be read, or holds several pictures or none.
    """
    readers: dict[str, _Reader] = {
        **_READERS,
        **dict.fromkeys(_VOLUMES, partial(_read_slice, slice_at=slice_at)),
    }
    reader = next((read for ending, read in readers.items() if is_called(path, ending)), None)
    if reader is None:
        return None
    with reading_numbers(path):
        check_plain_file(path)
        return reader(path, as_stored)


@contextmanager
def reading_numbers(path: Path) -> Iterator[None]:
    """Give the context in which such a file is read; what goes wrong is said of the file.

    Raises:
        XaibenchError: it is missing or damaged.
    """
    try:
        yield
    except XaibenchError:
        raise
    except FileNotFoundError:
        raise XaibenchError(f"{path}: no such file; put it there, or remove its link.") from None
    except Exception as error:  # damaged files raise whatever they like
        said = " ".join(str(error).split()) or type(error).__name__
        raise XaibenchError(f"{path}: not readable ({said}); replace or remove it.") from error


def is_called(path: Path, ending: str) -> bool:
    """Whether a file has an ending, which may consist of two."""
    return path.name.lower().endswith(ending)


def _read_npy(path: Path, as_stored: bool) -> Image.Image:
    values = np.load(path, mmap_mode="r", allow_pickle=False)  # numbers are read once it may be
    _refuse_huge(path, values.shape[:2])
    if values.dtype == bool:
        values = values.astype(np.uint8) * (1 if as_stored else np.iinfo(np.uint8).max)
    colored = values.ndim == _CHANNELS and values.shape[2] == _CHANNELS
    if values.ndim != 2 and not colored:  # noqa: PLR2004
        raise XaibenchError(
            f"{path}: an array of shape {values.shape}, where an image is (H, W) or (H, W, 3); "
            "save it in that form; folder[channels=N] reads others."
        )
    return _to_image(path, values)


def _read_dicom(path: Path, as_stored: bool) -> Image.Image:
    try:
        import pydicom  # noqa: PLC0415 (an extra)
        from pydicom.pixels.processing import (  # noqa: PLC0415
            apply_modality_lut,
            apply_voi_lut,
            convert_color_space,
        )
    except ImportError:
        _refuse_without(path, "DICOM", "pydicom")
    file = pydicom.dcmread(path)
    if "PixelData" not in file:
        raise XaibenchError(f"{path}: it holds no picture; remove it.")
    if (frames := int(file.get("NumberOfFrames", 1) or 1)) > 1:
        raise XaibenchError(
            f"{path}: it holds {frames} frames, and nothing says which one counts; save that one "
            "alone."
        )
    _refuse_huge(path, (int(file.get("Rows", 0)), int(file.get("Columns", 0))))
    pixels, kind = file.pixel_array, str(file.PhotometricInterpretation)
    if pixels.ndim == _CHANNELS:
        rgb = pixels if kind == "RGB" else convert_color_space(pixels, kind, "RGB")
        return Image.fromarray(np.asarray(rgb, np.uint8))
    if kind == "PALETTE COLOR":
        raise XaibenchError(f"{path}: its pixels are PALETTE COLOR; save it in gray or as RGB.")
    if as_stored:
        return _to_image(path, pixels)
    values = np.asarray(apply_voi_lut(apply_modality_lut(pixels, file), file), np.float64)
    if "WindowWidth" in file or "VOILUTSequence" in file:
        stretched = _stretch(values, *_window(file))
    else:
        stretched = _stretch(values, values.min(), values.max())
    return Image.fromarray(255 - stretched if kind == "MONOCHROME1" else stretched)


def _window(file: Any) -> tuple[float, float]:
    """Return the lowest and the highest number that a window gives: black and white."""
    for name in ("VOILUTSequence", "ModalityLUTSequence"):
        if name in file:
            return 0.0, float(2 ** int(file[name].value[0].LUTDescriptor[2]) - 1)
    bits, slope = int(file.BitsStored), float(file.get("RescaleSlope", 1) or 1)
    intercept = float(file.get("RescaleIntercept", 0) or 0)
    signed = bool(file.get("PixelRepresentation", 0))
    stored = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    ends = sorted(slope * each + intercept for each in stored)
    return ends[0], ends[1]


def is_volume(path: Path) -> bool:
    """Whether a file's ending is that of a volume, of which one slice is read."""
    return path.name.lower().endswith(_VOLUMES)


def open_volume(path: Path) -> Any:
    """Open a NIfTI file as nibabel's image of axes to the right, to the front and to the head.

    Its shape has three axes or two; numbers aren't read yet.

    Raises:
        XaibenchError: it has more, or more numbers than memory is sure to bear, or nibabel is
            missing.
    """
    try:
        import nibabel  # noqa: PLC0415 (an extra)
    except ImportError:
        _refuse_without(path, "NIfTI", "nibabel")
    library: Any = nibabel
    stored = library.load(path)
    if (numbers := prod(stored.shape)) > _MOST_IN_A_VOLUME:
        raise XaibenchError(
            f"{path}: refused, its {numbers} numbers exceed the limit of {_MOST_IN_A_VOLUME}; cut "
            "it or scale it down."
        )
    volume = library.as_closest_canonical(stored)
    shape = [side for side in volume.shape[_VOLUME:] if side > 1]
    if shape or len(volume.shape) < 2:  # noqa: PLR2004
        raise XaibenchError(
            f"{path}: an array of shape {volume.shape}, where a volume has three axes; save one of "
            "its volumes alone."
        )
    return volume


def count_slices(volume: Any) -> int:
    """Return how many slices lie along the body."""
    return volume.shape[2] if len(volume.shape) >= _VOLUME else 1


def _read_slice(path: Path, as_stored: bool, *, slice_at: int | None) -> Image.Image:
    volume = open_volume(path)
    depth = count_slices(volume)
    chosen = depth // 2 if slice_at is None else slice_at
    if not 0 <= chosen < depth:
        raise XaibenchError(
            f"{path}: it has slices from 0 to {depth - 1}, and {chosen} is none of them; choose "
            "another with slice=."
        )
    values = np.asarray(volume.dataobj).reshape(*volume.shape[:2], depth)[:, :, chosen]
    # From right, anterior and superior: people see the front above, and the right side at the left.
    seen = values[::-1, ::-1].T
    if as_stored:
        return _to_image(path, np.rint(seen).astype(np.int64))
    return Image.fromarray(_stretch(seen.astype(np.float64), seen.min(), seen.max()))


def _refuse_huge(path: Path, sides: Sequence[int]) -> None:
    """Refuse what Pillow refuses of pictures, before it is unpacked."""
    most = 2 * (Image.MAX_IMAGE_PIXELS or 0)
    if most and prod(sides) > most:
        raise XaibenchError(
            f"{path}: refused, its size ({prod(sides)} pixels) exceeds the limit of {most} pixels; "
            "scale it down or remove it."
        )


def _stretch(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.uint8]:
    if not np.isfinite(values).all():
        raise ValueError("numbers that aren't finite")
    shares = (values - low) / max(float(high - low), 1e-12)
    return np.asarray(np.rint(255 * shares.clip(0, 1)), np.uint8)


def _to_image(path: Path, values: Numbers) -> Image.Image:
    if not np.issubdtype(values.dtype, np.integer):
        raise XaibenchError(
            f"{path}: floating point numbers, and nothing says which of them is white; save them "
            "with 8 or 16 bits."
        )
    if values.min() < 0 or values.max() > _DEEPEST:
        raise XaibenchError(
            f"{path}: numbers from {values.min()} to {values.max()}, where 0 to {_DEEPEST} can be "
            "read; save them with 8 or 16 bits."
        )
    small = values.dtype.itemsize == 1
    if values.ndim == _CHANNELS and not small:
        raise XaibenchError(f"{path}: colors of more than 8 bits; save it with 8 bits each.")
    return Image.fromarray(np.ascontiguousarray(values.astype(np.uint8 if small else np.uint16)))


def _refuse_without(path: Path, kind: str, library: str) -> NoReturn:
    raise XaibenchError(
        f"{path}: reading {kind} needs {library}; install it with pip install 'xaibench[medical]'."
    ) from None


_VOLUMES = (".nii", ".nii.gz")
_READERS: dict[str, _Reader] = {
    ".npy": _read_npy,
    ".dcm": _read_dicom,
    ".dicom": _read_dicom,
}
ARRAY_ENDINGS = frozenset({*_READERS, *_VOLUMES})
