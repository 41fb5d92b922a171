"""Pixels at the network's size: read ahead by threads, kept in memory up to a bound."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import islice
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from xaibench.core.data import IGNORED, Dataset, Mask, Picture, Sample
from xaibench.core.reading.channels import COLORS

_CACHE_BYTES = 1 << 30
_THREADS = 4
_AHEAD = 2


MaskResize = Literal["nearest", "area"]
_HALF = 0.5


class ClassMask(NamedTuple):
    """A mask at the network's size: of a whole image, or of one class in it.

    Attributes:
        mask: ``(H, W)`` int8 grades, or None.
        lost: whether the original mask marks something and this one nothing.
        original: the mask before, where it is asked for.
    """

    mask: Mask | None
    lost: bool = False
    original: Mask | None = None


class Resized(NamedTuple):
    """A picture at the network's size.

    Attributes:
        image: ``(H, W, C)`` uint8.
        mask: ``(H, W)`` int8 grades, or None.
        lost: whether the original mask marks something and this one nothing.
        original: the mask before, where it is asked for.
        of_classes: a mask for each class, where images may show several.
    """

    image: NDArray[np.uint8]
    mask: Mask | None
    lost: bool = False
    original: Mask | None = None
    of_classes: tuple[ClassMask, ...] = ()


class Loaded(NamedTuple):
    """Samples at the network's size.

    Attributes:
        samples: ``B`` of them.
        images: ``(B, C, H, W)`` uint8.
        masks: ``(B, H, W)`` int8; 0 where there is no mask.
        lost: which masks lost all that they marked when they were resized.
        originals: the masks as they are in files, ``(H, W)`` each; empty unless asked for.
        of_classes: of each sample a mask for each class, where images may show several.
    """

    samples: Sequence[Sample]
    images: Tensor
    masks: Tensor
    lost: Sequence[bool]
    originals: Sequence[Tensor | None] = ()
    of_classes: Sequence[tuple[ClassMask, ...]] = ()

    def of_class(self, index: int) -> "Loaded":
        """Return the same with the masks of one class."""
        mine = [each[index] for each in self.of_classes]
        masks = _stack_masks([each.mask for each in mine], self.masks.shape[1])
        kept = [each.original for each in mine] if self.originals else []
        return Loaded(
            [sample.of_class(index) for sample in self.samples],
            self.images,
            masks,
            [each.lost for each in mine],
            [None if each is None else torch.from_numpy(each) for each in kept],
        )


class Loader:
    """Reads pictures of a dataset at a square size, whatever the original's.

    The first gigabyte of resized pictures stays in memory, so that small datasets are decoded once
    and memory stays flat for large ones.
    """

    def __init__(
        self,
        dataset: Dataset,
        image_size: int,
        mask_resize: MaskResize = "nearest",
        cache_bytes: int = _CACHE_BYTES,
    ) -> None:
        self._dataset, self._size, self._mask_resize = dataset, image_size, mask_resize
        self._cache: dict[str, Resized] = {}
        masks = len(dataset.classes) if dataset.several_labels else 0
        self._room = cache_bytes // (image_size * image_size * (dataset.channels + 1 + masks))

    @property
    def classes(self) -> int:
        """K, of the dataset."""
        return len(self._dataset.classes)

    def batches(
        self, samples: Sequence[Sample], batch_size: int, *, originals: bool = False
    ) -> Iterator[Loaded]:
        """Yield batches in order; the next ones are read while the caller works.

        With ``originals`` they bring masks at their own size, too, which nothing keeps in memory.
        """
        chunks = (samples[i : i + batch_size] for i in range(0, len(samples), batch_size))
        yield from self.stream(chunks, originals=originals)

    def stream(
        self, chunks: Iterator[Sequence[Sample]], *, originals: bool = False
    ) -> Iterator[Loaded]:
        """Yield one batch for each group of samples."""
        load = self._load_with_original if originals else self.load

        def submit(chunk: Sequence[Sample]) -> list[Future[Resized]]:
            return [pool.submit(load, sample) for sample in chunk]

        with ThreadPoolExecutor(_THREADS) as pool:
            pending = [(chunk, submit(chunk)) for chunk in islice(chunks, _AHEAD)]
            while pending:
                chunk, futures = pending.pop(0)
                pending += [(later, submit(later)) for later in islice(chunks, 1)]
                loaded = [future.result() for future in futures]
                yield _stack(chunk, loaded, self._size, originals=originals)

    def _load_with_original(self, sample: Sample) -> Resized:
        picture = self._dataset.read(sample)
        resized = resize_picture(picture, self._size, self._mask_resize)
        pairs = zip(resized.of_classes, picture.class_masks, strict=True)
        each = tuple(small._replace(original=mask) for small, mask in pairs)
        return resized._replace(original=picture.mask, of_classes=each)

    def load(self, sample: Sample) -> Resized:
        """Return one sample's picture, resized."""
        if sample.id in self._cache:
            return self._cache[sample.id]
        picture = resize_picture(self._dataset.read(sample), self._size, self._mask_resize)
        if len(self._cache) < self._room:
            self._cache[sample.id] = picture
        return picture


def resize_picture(picture: Picture, size: int, mask_resize: MaskResize = "nearest") -> Resized:
    """Resize to a square: the image bilinearly and antialiased, the mask as told.

    Args:
        picture: at its own size.
        size: of the square's side, in pixels.
        mask_resize: ``nearest`` takes the pixel in the middle, which may miss a small lesion;
            ``area`` takes the highest grade that it and higher ones cover half of a pixel with,
            and the fullest pixels of a grade that covers half of none.
    """
    image = _resize_image(picture.image, (size, size))
    shrink = partial(_resize_known, size=size, mask_resize=mask_resize)
    mask, lost, _ = shrink(picture.mask)
    each = tuple(shrink(mask) for mask in picture.class_masks)
    return Resized(image, mask, lost, of_classes=each)


def _resize_image(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    resize = partial(Image.Image.resize, size=size, resample=Image.Resampling.BILINEAR)
    if image.shape[2] == COLORS:
        return np.asarray(resize(Image.fromarray(image)))
    # One by one, as Pillow takes a second or a fourth channel for opacity.
    each = [resize(Image.fromarray(channel)) for channel in np.moveaxis(image, 2, 0)]
    return np.stack([np.asarray(channel) for channel in each], axis=2)


def _resize_known(mask: Mask | None, size: int, mask_resize: MaskResize) -> ClassMask:
    if mask is None:
        return ClassMask(None)
    small = resize_mask(mask, size, mask_resize)
    return ClassMask(small, bool((mask > 0).any()) and not (small > 0).any())


def resize_mask(mask: Mask, size: int, mask_resize: MaskResize = "nearest") -> Mask:
    """Return a mask's grades on a square, ``(size, size)``, as `resize_picture` has them."""
    if mask_resize == "area":
        return _resize_by_area(mask, size)
    grades = Image.fromarray(mask.view(np.uint8))
    nearest = grades.resize((size, size), Image.Resampling.NEAREST)
    return np.asarray(nearest).view(np.int8)


def _resize_by_area(mask: Mask, size: int) -> Mask:
    lowest, *higher = np.unique(mask)
    resized = np.full((size, size), lowest, np.int8)
    for grade in higher:
        share = Image.fromarray((mask >= grade).astype(np.float32))
        covered = np.asarray(share.resize((size, size), Image.Resampling.BOX))
        resized[covered >= min(_HALF, covered.max())] = grade
    return resized


def _stack(
    samples: Sequence[Sample], pictures: Sequence[Resized], size: int, *, originals: bool
) -> Loaded:
    images = torch.from_numpy(np.stack([picture.image for picture in pictures]))
    masks = _stack_masks([picture.mask for picture in pictures], size)
    lost = [picture.lost for picture in pictures]
    found = [None if p.original is None else torch.from_numpy(p.original) for p in pictures]
    return Loaded(
        samples,
        images.permute(0, 3, 1, 2),
        masks,
        lost,
        found if originals else (),
        [picture.of_classes for picture in pictures],
    )


def _stack_masks(masks: Sequence[Mask | None], size: int) -> Tensor:
    empty = np.zeros((size, size), np.int8)
    return torch.from_numpy(np.stack([empty if mask is None else mask for mask in masks]))


def share_marked(masks: Iterable[Mask | None], size: int) -> NDArray[np.float64]:
    """Return how many of the masks mark each pixel, as a share ``(size, size)``.

    Pixels that a mask leaves open don't count for it; where none says anything the share is 0.
    """
    marked, counted = np.zeros((size, size)), np.zeros((size, size))
    for mask in masks:
        if mask is not None:
            marked += mask > 0
            counted += mask != IGNORED
    return np.asarray(marked / counted.clip(1))
