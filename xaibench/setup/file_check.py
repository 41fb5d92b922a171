"""A first look at a dataset's files, before any work is done: what would stop or spoil the run."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from xaibench.core.data import Dataset, Sample, merge_annotations, read_files
from xaibench.core.errors import XaibenchError
from xaibench.core.loading import resize_mask
from xaibench.core.progress import progress_bar
from xaibench.core.reading.channels import COLORS, channels_shape
from xaibench.core.reading.headers import Header, read_header
from xaibench.core.reading.images import is_image, read_image
from xaibench.core.reading.opening import open_picture
from xaibench.core.threads import map_by_threads, map_over_files
from xaibench.setup.options import RunOptions

_THREADS = 4
_MOST_MASKS, _MOST_DEEP = 100, 20
_DIM, _HALF, _NEARLY_ALL = 32, 0.5, 0.95
# Lines of up to four pixels vanish when they lose so many on each side.
_PEN = 2
_Found = TypeVar("_Found")


class _Seen(NamedTuple):
    """What one sample's mask is like."""

    sample: str
    lost: bool
    inverted: bool
    outlined: bool


def check_files(dataset: Dataset, options: RunOptions) -> list[str]:
    """Return warnings, from the headers of all files and the pixels of some: of all to verify.

    Pictures that a dataset makes, or keeps many to a file, are taken at its word unless they are to
    be verified.

    Raises:
        XaibenchError: files can't be read, or a mask has another size than its image.
    """
    if options.verify:
        read = map_by_threads(partial(_read, dataset), dataset.samples, _THREADS)
        _refuse(_shown("verify", read, len(dataset.samples)))
    in_files = [sample for sample in dataset.samples if is_image(sample.path.name)]
    looked = map_over_files(partial(_look, dataset), in_files, _THREADS)
    headers = _shown("look", looked, len(in_files))
    _refuse([found for found in headers if isinstance(found, str)])
    deep = [s for s, h in zip(in_files, headers, strict=True) if isinstance(h, Header) and h.deep]
    dark = [s.id for s in _some(deep, _MOST_DEEP) if read_image(s.path).max() < _DIM]
    masked = [sample for sample in in_files if sample.annotated]
    chosen = masked if options.verify else _some(masked, _MOST_MASKS)
    masks = map_by_threads(partial(_see, dataset, options), chosen, _THREADS)
    seen = _shown("look", masks, len(chosen))
    return [*_tell_dark(dark, len(deep)), *_tell_masks(seen)]


def _shown(doing: str, found: Iterator[_Found], count: int) -> list[_Found]:
    """Take what comes, and show how much of it has."""
    taken: list[_Found] = []
    with progress_bar(doing, "files", count) as bar:
        for each in found:
            taken.append(each)
            bar.advance()
    return taken


def _refuse(said: Iterable[str]) -> None:
    bad = [each for each in said if each]
    if bad:
        more = f" ({len(bad) - 1} other images have faults, too: `xaibench audit` names all)"
        raise XaibenchError(f"{bad[0]}{more if len(bad) > 1 else ''}")


def _read(dataset: Dataset, sample: Sample) -> str:
    try:
        dataset.read(sample)
    except XaibenchError as error:
        return str(error)
    return ""


def _look(dataset: Dataset, sample: Sample) -> Header | str:
    """Return an image's header, or what is wrong with it or its masks."""
    try:
        if dataset.channels == COLORS:
            header = read_header(sample.path)
        else:
            height, width = channels_shape(sample.path, dataset.channels)
            header = Header(width, height, deep=False)
        layers = [layer.path for layer in sample.masks if is_image(layer.path.name)]
        sizes = {read_header(path)[:2] for path in layers}
    except XaibenchError as error:
        return str(error)
    if outside := [b for b in sample.boxes if b.left >= header.width or b.top >= header.height]:
        return (
            f"{sample.path}: a box from ({outside[0].left}, {outside[0].top}) lies outside the "
            f"image, which is {header.width}x{header.height}; fix or remove it."
        )
    # Sides may be swapped by EXIF data, which only reading tells.
    wrong = _read(dataset, sample) if sizes - {header[:2]} else ""
    return wrong or header


def _see(dataset: Dataset, options: RunOptions, sample: Sample) -> _Seen:
    if dataset.read is read_files:
        first = open_picture(sample.masks[0].path if sample.masks else sample.path)
        mask = merge_annotations(sample, (first.height, first.width))
    else:
        found = dataset.read(sample).mask
        assert found is not None
        mask = found
    marked = mask > 0
    rim = np.concatenate([marked[0], marked[-1], marked[:, 0], marked[:, -1]])
    small = resize_mask(mask, options.image_size, options.mask_resize)
    lost = bool(marked.any()) and not bool((small > 0).any()) and options.score_at == "network"
    inverted = bool(marked.mean() > _HALF and rim.mean() >= _NEARLY_ALL)
    return _Seen(sample.id, lost, inverted, _is_outline(marked))


def _is_outline(marked: NDArray[np.bool_]) -> bool:
    """Whether lines of a few pixels surround more than they cover."""
    thick = ndimage.binary_erosion(marked, np.ones((3, 3)), iterations=_PEN)
    inside = ndimage.binary_fill_holes(marked) & ~marked
    return not thick.any() and inside.sum() > marked.sum()


def _some(samples: Sequence[Sample], most: int) -> Sequence[Sample]:
    return samples[:: -(-len(samples) // most)] if samples else samples


def _tell_dark(dark: Sequence[str], deep: int) -> list[str]:
    if not dark:
        return []
    return [
        f"{len(dark)} of {min(deep, _MOST_DEEP)} images of 16 bits that were looked at are nearly "
        f"black, such as {dark[0]}: are they of 10 or 12 bits? Stretch their grays to 16."
    ]


def _tell_masks(seen: Sequence[_Seen]) -> list[str]:
    said = []
    if lost := [each.sample for each in seen if each.lost]:
        said.append(
            f"{len(lost)} of {len(seen)} masks that were looked at mark nothing at this image "
            f"size, such as that of {lost[0]}; they are undefined for every metric. Take a larger "
            "--image-size, --mask-resize area, or --score-at original."
        )
    if inverted := [each.sample for each in seen if each.inverted]:
        said.append(
            f"{len(inverted)} of {len(seen)} masks that were looked at mark most of the image and "
            f"its whole border, such as that of {inverted[0]}: are black and white swapped? "
            "folder[values=0] takes the black ones."
        )
    if outlined := [each.sample for each in seen if each.outlined]:
        said.append(
            f"{len(outlined)} of {len(seen)} masks that were looked at mark thin lines around what "
            f"they leave unmarked, such as that of {outlined[0]}: are they outlines? Only the "
            "lines count; fill them in the files, where the areas are meant."
        )
    return said
