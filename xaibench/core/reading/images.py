"""Reading image and mask files."""

import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from xaibench.core.errors import XaibenchError

IMAGE_ENDINGS = frozenset({
    ".png", ".jpg", ".jpeg", ".jfif", ".bmp", ".tif", ".tiff", ".webp", ".gif", ".jp2", ".pgm",
    ".ppm",
})  # fmt: skip
# An ending may lie, but Pillow also knows formats that run a program (PostScript).
_FORMATS = ("PNG", "JPEG", "BMP", "DIB", "TIFF", "WEBP", "GIF", "PPM", "JPEG2000")
_MODES = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "I"})
_ORIENTATION, _UPRIGHT, _LYING = 0x0112, 1, (5, 6, 7, 8)
_FOREGROUND, _WHITE, _DEEPEST, _COLOURED = 127, 255, 65535, 64

# Large scans are no bombs below Pillow's own limit, and what it guesses at its readers can't mend.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
warnings.filterwarnings("ignore", module=r"PIL\.")


def read_image(path: Path) -> NDArray[np.uint8]:
    """Return the image as ``(H, W, 3)`` uint8, its EXIF rotation applied.

    16-bit grey images are scaled down to 8 bits rather than clipped. What is transparent lies on
    black, so that nothing is seen that people don't see.

    Raises:
        XaibenchError: no readable image, several in one file, or one whose white is unknown:
            floating point numbers, or greys beyond 16 bits.
    """
    image = _open(path)
    if _deep(image):
        return np.repeat(_scale_down(image)[..., None], 3, axis=2)
    return _flatten(image, "RGB")


def read_mask(path: Path, value: int | None = None) -> NDArray[np.bool_]:
    """Return the foreground ``(H, W)``: luminance above 127, or the pixels of one ``value``.

    Luminance and not a maximum over channels, because the alpha channel of an RGBA mask is opaque
    everywhere and would mark the whole image. A value is a grey, or an index into a palette.

    Raises:
        XaibenchError: the mask is not black, yet nothing in it is bright enough to count: written
            in zeros and ones, say, in the colours of a palette or as transparency. It would read
            as empty. Or some of its colours would count and others not.
    """
    if value is not None:
        found: NDArray[np.bool_] = read_values(path) == value
        return found
    image = _open(path)
    if _deep(image):
        values = np.asarray(image)
        grey = values.astype(np.uint8) if values.max() <= _WHITE else _scale_down(image)
    else:
        grey = _flatten(image, "L")
        _check_colours(path, image, grey)
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
    """Whether an image has more than 8 bits for a grey."""
    with Image.open(path, formats=_FORMATS) as file:
        return _deep(file)


def _turn_of(path: Path) -> int:
    try:
        with Image.open(path, formats=_FORMATS) as file:
            turn = file.getexif().get(_ORIENTATION, _UPRIGHT)
    except Exception:  # damaged EXIF data turn nothing
        return _UPRIGHT
    return turn if turn in range(_UPRIGHT, max(_LYING) + 1) else _UPRIGHT


def _deep(image: Image.Image) -> bool:
    return image.mode.startswith("I;16") or image.mode == "I"


def _scale_down(image: Image.Image) -> NDArray[np.uint8]:
    # Pillow's own conversion clips: all but the darkest 1/256 would come out white.
    return (np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8)


def _flatten(image: Image.Image, mode: str) -> NDArray[np.uint8]:
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", layer.size, "black"), layer)
    return np.asarray(image.convert(mode))


def _check_colours(path: Path, image: Image.Image, grey: NDArray[np.uint8]) -> None:
    if image.has_transparency_data and not grey.any():
        alpha = np.asarray(image.convert("RGBA"))[..., 3]
        if 0 < alpha.mean() < _WHITE:
            raise XaibenchError(
                f"{path}: this mask is drawn in black on nothing, as transparency, and would read "
                "as empty; write it with 0 and 255."
            )
    if image.mode in ("1", "L") or grey.max() <= _FOREGROUND:
        return
    colours = _flatten(image, "RGB")
    highest = colours.max(axis=2)
    vivid = (highest > _FOREGROUND) & (highest - colours.min(axis=2) > _COLOURED)
    if (vivid & (grey <= _FOREGROUND)).any():
        raise XaibenchError(
            f"{path}: this mask has several colours, of which only the bright ones would count; "
            "write it with 0 and 255."
        )


def _open(path: Path) -> Image.Image:
    try:
        # By its name Pillow would map a file into memory, and scramble TIFFs that lie on a side.
        with path.open("rb") as stream, Image.open(stream, formats=_FORMATS) as file:
            _refuse_several(path, file)
            file.load()
            image = ImageOps.exif_transpose(file)
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
    if image.mode not in _MODES and not _deep(image):
        raise XaibenchError(f"{path}: its pixels are {image.mode}; save it in grey or as RGB.")
    if image.mode == "I":
        low, high = int(np.asarray(image).min()), int(np.asarray(image).max())
        if low < 0 or high > _DEEPEST:
            raise XaibenchError(
                f"{path}: its greys reach from {low} to {high}, and nothing says which of them is "
                "white; save it with 8 or 16 bits."
            )
