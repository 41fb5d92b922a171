"""Gini index and entropy, against their definitions."""

import math

import numpy as np
import pytest
import torch
from lesions import COUNT, HEIGHT, WIDTH, binary
from scipy import stats

from xaibench.metrics.entropy import entropy
from xaibench.metrics.sparseness import sparseness

PIXELS = HEIGHT * WIDTH


def uneven():
    """Noise, maps mostly of zeros, and maps of few values."""
    maps = binary()[0]
    maps[:4] *= maps[:4] > 0.6
    maps[4:8] = (maps[4:8] * 4).round() / 4
    return maps


def test_sparseness_is_half_the_mean_difference_over_the_mean():
    maps = uneven()[:, :9, :14]
    expected = []
    for values in maps.double().flatten(1).numpy():
        apart = np.abs(values[:, None] - values[None]).mean()
        expected.append(apart / (2 * values.mean()))
    np.testing.assert_allclose(sparseness(maps), expected, rtol=1e-5)
    assert max(expected) - min(expected) > 0.3


def test_entropy_is_scipys():
    maps = uneven()
    expected = [stats.entropy(values) for values in maps.double().flatten(1).numpy()]
    np.testing.assert_allclose(entropy(maps), expected, rtol=1e-6)
    np.testing.assert_allclose(
        entropy(maps, unit="share"), np.array(expected) / math.log(PIXELS), rtol=1e-6
    )


@pytest.mark.parametrize("level", [0.0, 0.3, 0.999, 1.0])
def test_constant_maps_are_the_most_complex_there_are(level):
    maps = torch.full((COUNT, HEIGHT, WIDTH), level)
    assert sparseness(maps).tolist() == [0.0] * COUNT
    torch.testing.assert_close(entropy(maps), torch.full((COUNT,), math.log(PIXELS)))
    torch.testing.assert_close(entropy(maps, unit="share"), torch.ones(COUNT))


def test_a_single_pixel_is_the_simplest_map():
    maps = torch.zeros(2, HEIGHT, WIDTH)
    maps[0, 4, 30] = maps[1, 20, 1] = 0.2
    torch.testing.assert_close(sparseness(maps), torch.full((2,), 1 - 1 / PIXELS))
    assert entropy(maps).tolist() == [0.0, 0.0]


def test_neither_hangs_on_the_scale_nor_on_the_place():
    maps = uneven()
    for metric in (sparseness, entropy):
        torch.testing.assert_close(metric(0.01 * maps), metric(maps))
        torch.testing.assert_close(metric(maps.mT.flip(1)), metric(maps))
