"""Reading image and mask files."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from xaibench.core.errors import XaibenchError
from xaibench.core.files import open_plain
from xaibench.core.reading.arrays import ARRAY_ENDINGS
from xaibench.core.reading.channels import COLORS, read_channels
from xaibench.core.reading.opening import FORMATS, flatten, has_depth, open_picture, scale_down
from xaibench.core.reading.palette import indices_of
from xaibench.core.reading.plateaus import check_plausible

IMAGE_ENDINGS = frozenset({
    ".png", ".jpg", ".jpeg", ".jfif", ".bmp", ".tif", ".tiff", ".webp", ".gif", ".jp2", ".pgm",
    ".ppm",
})  # fmt: skip
"""Of pictures; files of numbers are read as well (`is_image`)."""
_PACKED = ".gz"
_ORIENTATION, _UPRIGHT, _LYING = 0x0112, 1, (5, 6, 7, 8)
_FOREGROUND, _WHITE = 127, 255
_DEEP_FOREGROUND = 0x7FFF
_REMEDY = "write it with 0 and 255, or say what counts, as values=1+2 of folder[...] does"


def is_image(file: str) -> bool:
    """Whether a file's ending is that of an image, or of an array, DICOM or NIfTI."""
    return file.lower().endswith((*IMAGE_ENDINGS, *ARRAY_ENDINGS))


def is_array(file: str) -> bool:
    """Whether a file's ending is that of an array, DICOM or NIfTI."""
    return file.lower().endswith(tuple(ARRAY_ENDINGS))


def without_ending(file: str) -> str:
    """Return a path without its ending, which may consist of two, as in ``scan.nii.gz``."""
    folder, slash, name = file.rpartition("/")
    name = name[: -len(_PACKED)] if name.lower().endswith(f".nii{_PACKED}") else name
    return folder + slash + (name.rpartition(".")[0] or name)


def read_image(
    path: Path, slice_at: int | None = None, channels: int = COLORS
) -> NDArray[np.uint8]:
    """Return the image as ``(H, W, 3)`` uint8, its EXIF rotation applied.

    16-bit gray images are scaled down to 8 bits rather than clipped. What is transparent lies on
    black, so that nothing is seen that people don't see. Of a volume it is the slice of that
    number, from the feet and from 0, or the middle one. Other ``channels`` are read from files of
    so many, as ``(H, W, n)``.

    Raises:
        XaibenchError: no readable image, several in one file, or one whose white is unknown:
            floating point numbers, or grays beyond 16 bits.
    """
    if channels != COLORS:
        return read_channels(path, channels)
    image = open_picture(path, slice_at=slice_at)
    if has_depth(image):
        return np.repeat(scale_down(image)[..., None], 3, axis=2)
    return flatten(image, "RGB")


def read_mask(
    path: Path,
    value: int | tuple[int, ...] | None = None,
    *,
    soft: bool = False,
    slice_at: int | None = None,
) -> NDArray[np.bool_]:
    """Return the foreground ``(H, W)``: luminance above 127, or the pixels of some values.

    Luminance and not a maximum over channels, because the alpha channel of an RGBA mask is opaque
    everywhere and would mark the whole image. A value is a gray, or an index into a palette.

    Args:
        path: the file.
        value: that of the foreground, or several: grays, indices of the file's palette, or those
            that the colors of an RGB mask have in Pascal VOC's.
        soft: grays are shares, of which half and more counts: nothing else is asked of them.
        slice_at: which slice of a volume, as `read_image` counts them.

    Raises:
        XaibenchError: the mask is not black, yet nothing in it is bright enough to count: written
            in zeros and ones, say, in the colors of a palette or as transparency. It would read
            as empty. Or some of its areas would count and others not, or it looks like an image.
    """
    image = open_picture(path, as_stored=True, slice_at=slice_at)
    if value is not None:
        return _has_value(path, image, value)
    if is_array(path.name) and np.asarray(image).max() <= 1:
        return np.asarray(image) > 0  # nothing shows it, so that nobody writes 255
    if has_depth(image):
        values = np.asarray(image)
        deep = values.max() > _WHITE
        gray = scale_down(image) if deep else values.astype(np.uint8)
        if not soft:
            check_plausible(path, values, values, _DEEP_FOREGROUND if deep else _FOREGROUND)
    else:
        gray = flatten(image, "L")
        _refuse_transparency(path, image, gray)
        if not soft and image.mode != "1":
            colors = _colors(image)
            values = gray if colors is None else colors
            check_plausible(path, values, gray, _FOREGROUND, colors)
    if 0 < gray.max() <= _FOREGROUND:
        raise XaibenchError(
            f"{path}: the brightest gray of this mask is {gray.max()}, and only grays above "
            f"{_FOREGROUND} count; {_REMEDY}."
        )
    return gray > _FOREGROUND


def read_values(path: Path) -> NDArray[np.generic]:
    """Return a mask's values ``(H, W)``: grays, or indices where the file has a palette."""
    return _values(path, open_picture(path, as_stored=True))


def check_frames(image: Path, mask: Path, shape: tuple[int, ...]) -> None:
    """Make sure that a mask was drawn on its image the way up that it is read.

    Where only one of them has an EXIF rotation, sides that it swaps tell that the mask fits as
    people see both; otherwise nothing tells.

    Args:
        image: a file.
        mask: another.
        shape: of both as they were read, ``(H, W)``.

    Raises:
        XaibenchError: it is open which way up the mask is.
    """
    turns = _turn_of(image), _turn_of(mask)
    told = shape[0] != shape[1] and (turns[0] in _LYING) != (turns[1] in _LYING)
    if turns[0] != turns[1] and not told:
        raise XaibenchError(
            f"{mask}: its EXIF rotation is {turns[1]}, but that of its image {image.name} is "
            f"{turns[0]}, so that the mask may lie the wrong way; save both upright, without one."
        )


def check_upright(image: Path, what: str) -> None:
    """Make sure that an image whose annotation consists of coordinates has no EXIF rotation.

    Raises:
        XaibenchError: it has, and nothing says which way up the coordinates count.
    """
    if (turn := _turn_of(image)) != _UPRIGHT:
        raise XaibenchError(
            f"{image}: its EXIF rotation is {turn}, and nothing says which way up its {what} "
            "count; save it upright, without one."
        )


def turn_in_words(image: Path) -> str:
    """Say that an image is turned by EXIF data, or nothing."""
    turn = _turn_of(image)
    return "" if turn == _UPRIGHT else f" as its EXIF rotation {turn} turns it"


def is_deep(path: Path) -> bool:
    """Whether an image has more than 8 bits for a gray."""
    if is_array(path.name):
        return False
    with open_plain(path) as stream, Image.open(stream, formats=FORMATS) as file:
        return has_depth(file)


def _turn_of(path: Path) -> int:
    try:
        with open_plain(path) as stream, Image.open(stream, formats=FORMATS) as file:
            turn = file.getexif().get(_ORIENTATION, _UPRIGHT)
    except Exception:  # damaged EXIF data turn nothing
        return _UPRIGHT
    return turn if turn in range(_UPRIGHT, max(_LYING) + 1) else _UPRIGHT


def _values(path: Path, image: Image.Image) -> NDArray[np.generic]:
    if image.mode in ("1", "L", "P") or has_depth(image):
        return np.asarray(image.convert("L") if image.mode == "1" else image)
    if image.mode.startswith("RGB"):
        pixels = np.asarray(image)[..., :3]
        if (pixels != pixels[..., :1]).any():
            if (indices := indices_of(pixels)) is not None:
                return indices
            raise XaibenchError(
                f"{path}: this mask has colors that Pascal VOC's palette lacks, so that its "
                "pixels have no single value; save it in gray or with a palette."
            )
    return np.asarray(image.convert("L"))


def _has_value(path: Path, image: Image.Image, value: int | tuple[int, ...]) -> NDArray[np.bool_]:
    """Return where a mask has some values; grays of an RGB file may be colors of a palette."""
    found = np.isin(_values(path, image), value)
    indices = indices_of(np.asarray(image)[..., :3]) if image.mode == "RGB" else None
    if indices is None:
        return found
    shown = np.isin(indices, value)
    if found.any() and shown.any() and (found != shown).any():
        raise XaibenchError(
            f"{path}: the values {value} of this RGB mask could be grays, or indices of Pascal "
            "VOC's palette; save it in gray or with a palette."
        )
    return found if found.any() else shown


def _colors(image: Image.Image) -> NDArray[np.int32] | None:
    """Return one number for each color, ``(H, W)``; None where there are grays only."""
    if image.mode == "L":
        return None
    red, green, blue = np.moveaxis(flatten(image, "RGB").astype(np.int32), 2, 0)
    if np.array_equal(red, green) and np.array_equal(green, blue):
        return None
    return np.asarray((red << 16) | (green << 8) | blue)


def _refuse_transparency(path: Path, image: Image.Image, gray: NDArray[np.uint8]) -> None:
    if image.has_transparency_data and not gray.any():
        alpha = np.asarray(image.convert("RGBA"))[..., 3]
        if 0 < alpha.mean() < _WHITE:
            raise XaibenchError(
                f"{path}: this mask is drawn in black on nothing, as transparency, and would read "
                "as empty; write it with 0 and 255."
            )
