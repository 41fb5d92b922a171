"""Reading image and mask files."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from xaibench.core.errors import XaibenchError

IMAGE_ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"})
_FOREGROUND, _WHITE = 127, 255


def read_image(path: Path) -> NDArray[np.uint8]:
    """Return the image as ``(H, W, 3)`` uint8, its EXIF rotation applied.

    16-bit grey images are scaled down to 8 bits rather than clipped.

    Raises:
        XaibenchError: no readable image, or one of floating point numbers, whose white is unknown.
    """
    image = _open(path)
    if image.mode == "F":
        raise XaibenchError(
            f"{path}: an image of floating point numbers, and nothing says which of them is white; "
            "save it with 8 or 16 bits."
        )
    if _deep(image):
        return np.repeat(_scale_down(image)[..., None], 3, axis=2)
    return np.asarray(image.convert("RGB"))


def read_mask(path: Path, value: int | None = None) -> NDArray[np.bool_]:
    """Return the foreground ``(H, W)``: luminance above 127, or the pixels of one ``value``.

    Luminance and not a maximum over channels, because the alpha channel of an RGBA mask is opaque
    everywhere and would mark the whole image. A value is a grey, or an index into a palette.

    Raises:
        XaibenchError: the mask is not black, yet nothing in it is bright enough to count: written
            in zeros and ones, say, or in the colours of a palette. It would read as empty.
    """
    if value is not None:
        found: NDArray[np.bool_] = read_values(path) == value
        return found
    image = _open(path)
    grey = np.asarray(image.convert("L"))
    if _deep(image):
        values = np.asarray(image)
        grey = values.astype(np.uint8) if values.max() <= _WHITE else _scale_down(image)
    if 0 < grey.max() <= _FOREGROUND:
        raise XaibenchError(
            f"{path}: the brightest grey of this mask is {grey.max()}, and only greys above "
            f"{_FOREGROUND} count; write it with 0 and 255."
        )
    return grey > _FOREGROUND


def read_values(path: Path) -> NDArray[np.generic]:
    """Return a mask's values ``(H, W)``: greys, or indices where the file has a palette."""
    image = _open(path)
    kept = image if image.mode == "P" or _deep(image) else image.convert("L")
    return np.asarray(kept)


def _deep(image: Image.Image) -> bool:
    return image.mode.startswith("I;16") or image.mode == "I"


def _scale_down(image: Image.Image) -> NDArray[np.uint8]:
    # Pillow's own conversion clips: all but the darkest 1/256 would come out white.
    return (np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8)


def _open(path: Path) -> Image.Image:
    try:
        with Image.open(path) as image:
            image.load()
            return ImageOps.exif_transpose(image)
    except FileNotFoundError:
        raise XaibenchError(f"{path}: no such file.") from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise XaibenchError(
            f"{path}: not a readable image ({error}); replace or remove it."
        ) from error
    except Image.DecompressionBombError as error:
        raise XaibenchError(f"{path}: refused, {error}") from error
