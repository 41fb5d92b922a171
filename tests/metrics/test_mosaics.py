"""Metrics of mosaics, and of a network that has learned nothing, against cases worked by hand."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import entropy

from xaibench.core.errors import XaibenchError
from xaibench.core.mosaics import lay_mosaics, quarter, shares
from xaibench.core.seeds import BatchGenerator
from xaibench.metrics.efficient_mprt import efficient_mprt
from xaibench.metrics.focus import focus
from xaibench.metrics.grid_pointing_game import grid_pointing_game

CLASSES, HEIGHT, WIDTH = 5, 6, 10
LABELS = torch.arange(4 * CLASSES) % CLASSES
# The gray of an image says which one it is: 0.1 and more for training images.
GRAYS = 0.1 + torch.arange(len(LABELS)) / 100
POOL = GRAYS.view(-1, 1, 1, 1).expand(-1, 3, HEIGHT, WIDTH)
TARGETS = torch.tensor([2, 0, 4])
IMAGES = torch.tensor([0.9, 0.8, 0.7]).view(3, 1, 1, 1).expand(3, 3, HEIGHT, WIDTH)


def mosaics(alike, size="full", seeds=(1, 2, 3)):
    generator = BatchGenerator(list(seeds))
    return lay_mosaics(IMAGES, TARGETS, POOL, LABELS, generator, alike=alike, size=size)


def tile_rows(made, at):
    """Which training image lies on each of the other tiles."""
    grays = [quarter(made.images[at, 0], place).unique().item() for place in made.places[at, 1:]]
    return [round((gray - 0.1) * 100) for gray in grays]


def test_tiles_are_of_the_classes_that_are_asked_for():
    for alike in (0, 1):
        made = mosaics(alike)
        for at, target in enumerate(TARGETS.tolist()):
            assert (quarter(made.images[at], int(made.places[at, 0])) == IMAGES[at, 0, 0, 0]).all()
            assert sorted(made.places[at].tolist()) == [0, 1, 2, 3]
            classes = LABELS[tile_rows(made, at)].tolist()
            assert classes[:alike] == [target] * alike
            others = classes[alike:]
            assert target not in others
            assert len(set(others)) == len(others)
    again = mosaics(1)
    assert torch.equal(mosaics(1).images, again.images)
    assert not torch.equal(again.places, mosaics(1, seeds=(4, 5, 6)).places)


def test_focus_is_the_mass_on_both_tiles_of_the_class():
    made = mosaics(1)
    asked = []

    def explain(seen):
        asked.append(seen)
        return seen[:, 0] ** 2

    found = focus(IMAGES, TARGETS, explain, POOL, LABELS, BatchGenerator([1, 2, 3]), tiles="full")
    assert asked[0].shape == (3, 3, 2 * HEIGHT, 2 * WIDTH)
    for at, own in enumerate((0.9, 0.8, 0.7)):
        mass = [own**2, *((0.1 + row / 100) ** 2 for row in tile_rows(made, at))]
        assert found[at].item() == pytest.approx(sum(mass[:2]) / sum(mass), rel=1e-5)
    assert focus(
        IMAGES, TARGETS, lambda seen: 0 * seen[:, 0], POOL, LABELS, BatchGenerator([1, 2, 3])
    ).tolist() == [0, 0, 0]


def test_the_grid_pointing_game_is_the_mass_on_the_own_tile():
    made = mosaics(0)
    case = IMAGES, TARGETS, torch.tensor([0.9, 0.2, 0.6]), lambda seen: seen[:, 1], POOL, LABELS
    found = grid_pointing_game(*case, BatchGenerator([1, 2, 3]), tiles="full", at_least=0.5)
    for at, own in ((0, 0.9), (2, 0.7)):
        mass = [own, *(0.1 + row / 100 for row in tile_rows(made, at))]
        assert found[at].item() == pytest.approx(own / sum(mass), rel=1e-5)
    assert math.isnan(found[1])
    constant = (*case[:3], lambda seen: torch.ones_like(seen[:, 0]), *case[4:])
    chance = grid_pointing_game(*constant, BatchGenerator([1, 2, 3]))
    assert chance.tolist() == [0.25] * 3


def test_half_tiles_keep_the_size_of_the_image_and_their_places():
    whole, half = mosaics(0), mosaics(0, "half")
    assert half.images.shape == IMAGES.shape
    assert torch.equal(whole.places, half.places)
    torch.testing.assert_close(half.images[:, :, 0, 0], whole.images[:, :, 0, 0])
    maps = torch.zeros(3, 7, 9)
    maps[:, 3] = maps[:, :, 4] = 1  # the middle lines are on no tile
    assert not shares(maps, half.places).any()


def test_without_other_classes_there_is_no_mosaic():
    alone = LABELS[:3] * 0 + 2
    case = (lambda seen: seen[:, 0]), POOL[:3], alone, BatchGenerator([1, 2, 3])
    assert focus(IMAGES, TARGETS, *case).isnan().tolist() == [True] * 3
    with pytest.raises(XaibenchError, match="choose half or full"):
        focus(IMAGES, TARGETS, *case, tiles="double")


def test_efficient_mprt_is_the_relative_rise_of_the_histograms_entropy():
    random = np.random.default_rng(0)
    maps, others = random.random((4, 11, 13)) ** 3, random.random((4, 11, 13)) * 0.5
    maps[3] = 0.5
    expected = [
        entropy(np.histogram(new, bins=20)[0]) / entropy(np.histogram(old, bins=20)[0]) - 1
        for old, new in zip(maps[:3], others, strict=False)
    ]
    given = torch.from_numpy(maps), lambda: torch.from_numpy(others)
    found = efficient_mprt(*given, bins=20)
    np.testing.assert_allclose(found[:3], expected, rtol=1e-9)
    assert math.isnan(found[3])
    assert not efficient_mprt(given[0][:3], lambda: given[0][:3]).any()
