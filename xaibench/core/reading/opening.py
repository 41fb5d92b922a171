"""Opening image files: which are readable, and in which mode their pixels come."""

import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from xaibench.core.errors import XaibenchError
from xaibench.core.files import open_plain
from xaibench.core.reading.arrays import open_array

# An ending may lie, but Pillow also knows formats that run a program (PostScript).
FORMATS = ("PNG", "JPEG", "BMP", "DIB", "TIFF", "WEBP", "GIF", "PPM", "JPEG2000")
_MODES = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "I"})
_DEEPEST, _PHOTOMETRIC, _BITS = 65535, 262, 258

# Large scans are no bombs below Pillow's own limit, and what it guesses at its readers can't fix.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
warnings.filterwarnings("ignore", module=r"PIL\.")


def open_picture(
    path: Path, *, as_stored: bool = False, slice_at: int | None = None
) -> Image.Image:
    """Return an image with its EXIF rotation applied, in its own mode.

    Args:
        path: the file.
        as_stored: arrays, DICOM and NIfTI keep their numbers, and get no window.
        slice_at: which slice of a volume, from the feet and from 0; by default the middle one.

    Raises:
        XaibenchError: as `read_image`.
    """
    if (array := open_array(path, as_stored=as_stored, slice_at=slice_at)) is not None:
        return array
    try:
        # By its name Pillow would map a file into memory, and scramble TIFFs that lie on a side.
        with open_plain(path) as stream, Image.open(stream, formats=FORMATS) as file:
            _refuse_several(path, file)
            file.load()
            image = ImageOps.exif_transpose(_upright_grays(file))
            _refuse_unknown(path, image)
            return image
    except XaibenchError:
        raise
    except FileNotFoundError:
        raise XaibenchError(f"{path}: no such file; put it there, or remove its link.") from None
    except Image.DecompressionBombError as error:
        said = str(error).partition(",")[0].replace("Image size", "its size")
        raise XaibenchError(f"{path}: refused, {said}; scale it down or remove it.") from error
    except UnidentifiedImageError as error:
        raise XaibenchError(
            f"{path}: not a readable image, whatever its name says; replace or remove it."
        ) from error
    except Exception as error:  # damaged files raise whatever they like
        said = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise XaibenchError(
            f"{path}: not a readable image ({said}); replace or remove it."
        ) from error


def has_depth(image: Image.Image) -> bool:
    """Whether an opened image has more than 8 bits for a gray."""
    return image.mode.startswith("I;16") or image.mode == "I"


def scale_down(image: Image.Image) -> NDArray[np.uint8]:
    """Return a deep image's grays in 8 bits."""
    # Pillow's own conversion clips: all but the darkest 1/256 would come out white.
    return (np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8)


def flatten(image: Image.Image, mode: str) -> NDArray[np.uint8]:
    """Return an image's pixels in another mode; what is transparent lies on black."""
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", layer.size, "black"), layer)
    return np.asarray(image.convert(mode))


def _upright_grays(file: Image.Image) -> Image.Image:
    """Turn the grays of a deep TIFF round that says so: Pillow does it for 8 bits alone."""
    tags = getattr(file, "tag_v2", {})
    if not has_depth(file) or tags.get(_PHOTOMETRIC) != 0:
        return file
    bits = int(tags.get(_BITS, (16,))[0])
    turned = Image.fromarray(
        ((1 << bits) - 1 - np.asarray(file).astype(np.int64)).astype(np.uint16)
    )
    turned.info.update(file.info)
    return turned


def _refuse_several(path: Path, file: Image.Image) -> None:
    """Refuse animations and stacks, but neither previews nor what a camera adds to a photograph."""
    frames, size = getattr(file, "n_frames", 1), file.size
    if frames == 1 or file.format == "MPO":
        return
    file.seek(1)
    alike = file.size == size
    file.seek(0)
    if alike:
        raise XaibenchError(
            f"{path}: it holds {frames} pictures, and nothing says which one counts; save that one "
            "alone."
        )


def _refuse_unknown(path: Path, image: Image.Image) -> None:
    if image.mode == "F":
        raise XaibenchError(
            f"{path}: an image of floating point numbers, and nothing says which of them is white; "
            "save it with 8 or 16 bits."
        )
    if image.mode not in _MODES and not has_depth(image):
        raise XaibenchError(f"{path}: its pixels are {image.mode}; save it in gray or as RGB.")
    if image.mode == "I":
        low, high = int(np.asarray(image).min()), int(np.asarray(image).max())
        if low < 0 or high > _DEEPEST:
            raise XaibenchError(
                f"{path}: its grays reach from {low} to {high}, and nothing says which of them is "
                "white; save it with 8 or 16 bits."
            )
