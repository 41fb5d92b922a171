"""Pixels at the network's size: read ahead by threads, kept in memory up to a bound."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from xaibench.core.data import Dataset, Picture, Sample

_CACHE_BYTES = 1 << 30
_THREADS = 4
_AHEAD = 2


class Loaded(NamedTuple):
    """Samples with images ``(B, 3, H, W)`` uint8 and masks ``(B, H, W)`` int8 (0: no mask)."""

    samples: Sequence[Sample]
    images: Tensor
    masks: Tensor


class Loader:
    """Reads pictures of a dataset at a square size, whatever the original's.

    The first gigabyte of resized pictures stays in memory, so that small datasets are decoded once
    and memory stays flat for large ones.
    """

    def __init__(self, dataset: Dataset, image_size: int, cache_bytes: int = _CACHE_BYTES) -> None:
        self._dataset, self._size = dataset, image_size
        self._cache: dict[str, Picture] = {}
        self._room = cache_bytes // (image_size * image_size * 4)

    @property
    def classes(self) -> int:
        """K, of the dataset."""
        return len(self._dataset.classes)

    def batches(self, samples: Sequence[Sample], batch_size: int) -> Iterator[Loaded]:
        """Yield batches in order; the next ones are read while the caller works."""
        chunks = (samples[i : i + batch_size] for i in range(0, len(samples), batch_size))
        yield from self.stream(chunks)

    def stream(self, chunks: Iterator[Sequence[Sample]]) -> Iterator[Loaded]:
        """Yield one batch for each group of samples."""
        with ThreadPoolExecutor(_THREADS) as pool:
            pending = [(chunk, self._submit(pool, chunk)) for chunk in islice(chunks, _AHEAD)]
            while pending:
                chunk, futures = pending.pop(0)
                pending += [(later, self._submit(pool, later)) for later in islice(chunks, 1)]
                yield _stack(chunk, [future.result() for future in futures], self._size)

    def _submit(self, pool: ThreadPoolExecutor, chunk: Sequence[Sample]) -> list[Future[Picture]]:
        return [pool.submit(self.load, sample) for sample in chunk]

    def load(self, sample: Sample) -> Picture:
        """Return one sample's picture, resized."""
        if sample.id in self._cache:
            return self._cache[sample.id]
        picture = resize_picture(self._dataset.read(sample), self._size)
        if len(self._cache) < self._room:
            self._cache[sample.id] = picture
        return picture


def resize_picture(picture: Picture, size: int) -> Picture:
    """Resize to a square: the image bilinearly and antialiased, the mask to the nearest pixel."""
    image = Image.fromarray(picture.image).resize((size, size), Image.Resampling.BILINEAR)
    mask = None
    if picture.mask is not None:
        grades = Image.fromarray(picture.mask.view(np.uint8))
        nearest = grades.resize((size, size), Image.Resampling.NEAREST)
        mask = np.asarray(nearest).view(np.int8)
    return Picture(np.asarray(image), mask)


def _stack(samples: Sequence[Sample], pictures: Sequence[Picture], size: int) -> Loaded:
    images = torch.from_numpy(np.stack([picture.image for picture in pictures]))
    empty = np.zeros((size, size), np.int8)
    masks = np.stack([empty if p.mask is None else p.mask for p in pictures])
    return Loaded(samples, images.permute(0, 3, 1, 2), torch.from_numpy(masks))
