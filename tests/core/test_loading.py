from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from xaibench.core.data import Box, Dataset, MaskLayer, Picture, Sample, read_files
from xaibench.core.errors import XaibenchError
from xaibench.core.loading import Loader, resize_picture

SIZE = 16


def drawn(number):
    """Return a picture of its own color, bright in the upper right corner, and its mask."""
    height, width = 20 + number, 40 + 3 * number
    image = np.full((height, width, 3), 10 + number, np.uint8)
    mask = np.zeros((height, width), np.int8)
    image[: height // 2, width // 2 :] = 200
    mask[: height // 2, width // 2 :] = 3
    mask[height // 2 :, : width // 2] = -1
    return Picture(image, mask if number % 3 else None)


class Counting:
    """A reader that remembers what it was asked for."""

    def __init__(self):
        self.reads = Counter()

    def __call__(self, sample):
        self.reads[sample.id] += 1
        return drawn(int(sample.id))


def make(count=11, **options):
    read = Counting()
    samples = tuple(Sample(str(n), Path("x.png"), 0) for n in range(count))
    return Loader(Dataset(("a",), samples, read), SIZE, **options), samples, read


@pytest.mark.parametrize("batch_size", [1, 3, 4, 11, 20])
def test_batches_keep_the_order_and_lose_nothing(batch_size):
    loader, samples, read = make()
    batches = list(loader.batches(samples, batch_size))
    assert [s.id for batch in batches for s in batch.samples] == [str(n) for n in range(11)]
    images = torch.cat([batch.images for batch in batches])
    assert images[:, 0, -1, 0].tolist() == [10 + n for n in range(11)]
    assert {len(batch.samples) for batch in batches[:-1]} <= {batch_size}
    assert set(read.reads.values()) == {1}


def test_any_size_becomes_a_square_that_is_not_transposed():
    loader, samples, _ = make()
    (batch,) = loader.batches(samples, 11)
    assert batch.images.shape == (11, 3, SIZE, SIZE)
    assert batch.images.dtype == torch.uint8
    corners = batch.images[:, :, [1, 1, -2, -2], [1, -2, 1, -2]]
    assert (corners[:, :, 1] == 200).all()
    assert (corners[:, :, [0, 2, 3]] < 40).all()


def test_masks_stay_grades_and_follow_their_image():
    loader, samples, _ = make()
    (batch,) = loader.batches(samples, 11)
    assert batch.masks.dtype == torch.int8
    for number, mask in enumerate(batch.masks):
        if number % 3:
            assert set(mask.unique().tolist()) == {-1, 0, 3}
            assert (mask == 3).nonzero().float().mean(dim=0).tolist() == [3.5, 11.5]
            assert (mask == -1).nonzero().float().mean(dim=0).tolist() == [11.5, 3.5]
        else:
            assert not mask.any()


def test_images_shrink_antialiased_and_masks_to_the_nearest_pixel():
    picture = drawn(4)
    stripes = picture.image.copy()
    stripes[:, ::2], stripes[:, 1::2] = 0, 200
    small = resize_picture(Picture(stripes, picture.mask), 8)
    assert np.abs(small.image.astype(int) - 100).max() < 40
    rows = ((np.arange(8) + 0.5) * picture.mask.shape[0] / 8).astype(int)
    columns = ((np.arange(8) + 0.5) * picture.mask.shape[1] / 8).astype(int)
    np.testing.assert_array_equal(small.mask, picture.mask[np.ix_(rows, columns)])


@pytest.mark.parametrize("kept", [0, 1, 4])
def test_memory_keeps_as_many_pictures_as_fit(kept):
    loader, samples, read = make(cache_bytes=kept * SIZE * SIZE * 4 + SIZE)
    for _ in range(3):
        for sample in samples:
            loader.load(sample)
    assert sorted(read.reads.values()) == [1] * kept + [3] * (11 - kept)


def test_what_comes_from_memory_is_what_was_read():
    loader, samples, _ = make()
    first, second = (list(loader.batches(samples, 4)) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        assert torch.equal(one.images, other.images)
        assert torch.equal(one.masks, other.masks)


def test_reading_stays_a_few_batches_ahead():
    loader, samples, read = make(count=40)
    batches = loader.batches(samples, 2)
    next(batches)
    assert sum(read.reads.values()) <= 2 * 4
    batches.close()
    assert sum(read.reads.values()) <= 2 * 4


def test_an_unreadable_file_is_named(tmp_path):
    Image.new("RGB", (9, 5)).save(tmp_path / "0.png")
    (tmp_path / "1.png").write_bytes((tmp_path / "0.png").read_bytes()[:40])
    samples = tuple(Sample(str(n), tmp_path / f"{n}.png", 0) for n in range(2))
    loader = Loader(Dataset(("a",), samples), SIZE)
    with pytest.raises(XaibenchError, match=r"1\.png: not a readable image"):
        list(loader.batches(samples, 2))


def test_files_masks_and_boxes_are_read_and_resized(tmp_path):
    Image.new("RGB", (32, 16), (255, 0, 0)).save(tmp_path / "x.png")
    mask = np.zeros((16, 32), np.uint8)
    mask[:8, :8] = 255
    Image.fromarray(mask).save(tmp_path / "m.png")
    sample = Sample(
        "x", tmp_path / "x.png", 0, (MaskLayer(tmp_path / "m.png", 2),), (Box(24, 12, 32, 16),)
    )
    picture = Loader(Dataset(("a",), (sample,), read_files), SIZE).load(sample)
    expected = np.zeros((SIZE, SIZE), np.int8)
    expected[:8, :4] = 2
    expected[12:, 12:] = 1
    np.testing.assert_array_equal(picture.mask, expected)
    assert (picture.image == (255, 0, 0)).all()
