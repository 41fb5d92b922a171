import math

import numpy as np
import torch
from scipy import ndimage

from xaibench.core.seeds import BatchGenerator
from xaibench.methods.all_ones import all_ones
from xaibench.methods.average_mask import average_mask
from xaibench.methods.ceiling import ceiling
from xaibench.methods.center import center
from xaibench.methods.oracle import oracle
from xaibench.methods.random import random
from xaibench.methods.sobel import sobel

IMAGES = torch.rand(3, 3, 14, 25, generator=torch.Generator().manual_seed(0))


def test_sobel_equals_scipys_on_the_mean_of_the_channels():
    for found, gray in zip(sobel(IMAGES), IMAGES.mean(dim=1).double().numpy(), strict=True):
        down, across = (ndimage.sobel(gray, axis=axis, mode="nearest") for axis in (0, 1))
        np.testing.assert_allclose(found, np.hypot(down, across), atol=1e-5)


def test_center_is_a_gaussian_a_quarter_of_each_side_wide():
    rows, columns = np.mgrid[:14, :25]
    y, x = (rows - 6.5) / (14 / 4), (columns - 12) / (25 / 4)
    for found in center(IMAGES):
        np.testing.assert_allclose(found, np.exp(-(x**2 + y**2) / 2), atol=1e-6)


def test_fake_cam_marks_everything():
    assert torch.equal(all_ones(IMAGES), torch.ones(3, 14, 25))


def test_average_mask_is_the_same_for_every_image():
    mean = torch.rand(14, 25)
    assert torch.equal(average_mask(IMAGES, mean), torch.stack([mean] * 3))


def test_oracle_keeps_positive_grades_in_proportion():
    masks = torch.tensor([[[3, 1, 0, -1]], [[1, 1, 1, 1]], [[0, -1, -1, 0]]], dtype=torch.int8)
    expected = torch.tensor([[[1, 1 / 3, 0, 0]], [[1.0, 1, 1, 1]], [[0.0, 0, 0, 0]]])
    torch.testing.assert_close(oracle(masks), expected)


def test_random_is_uniform_and_each_image_has_its_own_stream():
    images = torch.zeros(2, 3, 60, 80)
    first, second = random(images, BatchGenerator([1, 2]))
    assert torch.equal(random(images[:1], BatchGenerator([2]))[0], second)
    assert abs(np.corrcoef(first.flatten(), second.flatten())[0, 1]) < 0.05
    assert abs(float(first.mean()) - 0.5) < 0.02
    assert abs(float(first.std()) - 1 / math.sqrt(12)) < 0.02


def test_the_ceiling_knows_that_a_thin_layer_counts_more():
    masks = torch.tensor([[[1, 1, 3, -1], [1, 1, 2, -1]]], dtype=torch.int8)
    assert ceiling(torch.zeros(1, 5, 1, 2), masks).tolist() == [[[1.0, 1.25]]]
