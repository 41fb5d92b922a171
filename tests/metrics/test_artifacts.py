"""Grid artifacts: found where a grid is, and nowhere else."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from xaibench.core.errors import XaibenchError
from xaibench.metrics.artifacts import artifacts

HEIGHT, WIDTH = 96, 72
ROWS, COLUMNS = torch.arange(HEIGHT)[:, None], torch.arange(WIDTH)[None]


def blob():
    return torch.exp(-(((ROWS - 40) / 16) ** 2) - ((COLUMNS - 30) / 11) ** 2)


def checkers(period):
    half = period // 2
    return ((ROWS // half + COLUMNS // half) % 2).float()


def upsampled(factor, mode):
    small = functional.avg_pool2d(blob()[None, None], factor)
    return functional.interpolate(small, scale_factor=factor, mode=mode)[0, 0]


def value(picture, **options):
    return artifacts(picture[None], **options).item()


def by_hand(picture, period):
    """The definition, step by step."""
    across, down = np.diff(picture, axis=1), np.diff(picture, axis=0)

    def alike(lag):
        pairs = [
            *((across[y, x], across[y, x + lag])
              for y in range(across.shape[0]) for x in range(across.shape[1] - lag)),
            *((down[y, x], down[y + lag, x])
              for y in range(down.shape[0] - lag) for x in range(down.shape[1])),
        ]  # fmt: skip
        here, there = np.array(pairs).T
        return (here * there).sum() / np.sqrt((here**2).sum() * (there**2).sum())

    return max(0.0, alike(period) - max(alike(period - 1), alike(period + 1), 0))


@pytest.mark.parametrize("period", [2, 3])
def test_the_value_is_its_definition(period):
    picture = np.random.default_rng(3).uniform(size=(7, 11))
    picture[:, ::period] += 1  # noise alone would be cut to 0
    expected = by_hand(picture, period)
    assert 0.2 < expected < 0.95
    assert value(torch.from_numpy(picture), periods=(period,)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("period", [2, 4, 8, 16, 32])
def test_checkerboards_are_nothing_but_artifacts(period):
    assert value(checkers(period)) == pytest.approx(1)
    assert value(checkers(period), periods=(3,)) == 0


def test_what_has_no_grid_has_none():
    noise = torch.rand(4, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(1))
    disc = ((ROWS - 50) ** 2 + (COLUMNS - 30) ** 2 < 20**2).float()
    assert artifacts(noise).max() < 3 / math.sqrt(HEIGHT * WIDTH)
    for picture in (blob(), disc, blob() + 0.1 * noise[0], ROWS * torch.ones(WIDTH)):
        assert value(picture) < 0.02


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_nearest_upsampling_leaves_what_bilinear_does_not(factor):
    assert value(upsampled(factor, "nearest")) > 0.5
    assert value(upsampled(factor, "bilinear")) < 0.01


def test_a_fainter_grid_counts_less_and_scale_does_not():
    found = [value(blob() * (1 + faint * checkers(4))) for faint in (0, 0.1, 0.3, 0.9)]
    assert found == sorted(found)
    assert found[0] < 0.01 < found[1]
    assert found[-1] > 0.9
    grid = blob() * (1 + 0.1 * checkers(4))
    assert value(0.01 * grid + 0.4) == pytest.approx(value(grid), rel=1e-3)
    assert value(grid.mT) == pytest.approx(value(grid), rel=1e-6)


def test_undefined_where_there_is_nothing_to_see():
    flat = torch.full((2, 9, 13), 0.3)
    assert artifacts(flat).isnan().all()
    flat[1, 4, 5] = 1  # a single pixel doesn't come back
    assert artifacts(flat)[1] == 0


def test_wrong_periods_are_told():
    with pytest.raises(XaibenchError, match="'periods' are whole numbers of 2 or more"):
        artifacts(torch.rand(1, 8, 9), periods=(1, 4))
