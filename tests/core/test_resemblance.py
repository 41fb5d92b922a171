import numpy as np
import torch
from scipy.stats import spearmanr
from skimage.metrics import structural_similarity

from xaibench.core.resemblance import chance, resemblance, shrink

SHAPE = (9, 14)


def maps(count, seed=0):
    return np.random.default_rng(seed).random((count, *SHAPE))


def test_each_pair_equals_scipys_and_scikit_images():
    ours, theirs = maps(3), maps(3, seed=1)
    theirs[0] = 0.7 * ours[0] + 0.3 * theirs[0]
    theirs[1].flat[:60] = 0  # ties
    found = resemblance(ours, theirs)
    for row in range(3):
        expected = spearmanr(ours[row].ravel(), theirs[row].ravel()).statistic
        np.testing.assert_allclose(found.rank[row], expected)
        expected = structural_similarity(ours[row], theirs[row], data_range=1.0)
        np.testing.assert_allclose(found.structure[row], expected)


def test_the_same_maps_are_the_same_and_one_constant_map_orders_nothing():
    ours = np.stack([maps(1)[0], np.full(SHAPE, 0.4), np.full(SHAPE, 0.4)])
    theirs = np.stack([maps(1)[0], np.full(SHAPE, 0.4), maps(1)[0]])
    found = resemblance(ours, theirs)
    np.testing.assert_array_equal(found.rank, [1, 1, np.nan])
    np.testing.assert_allclose(found.structure[:2], 1)
    assert found.structure[2] < 0.5


def test_a_flipped_ramp_is_the_opposite():
    ramp = np.linspace(0, 1, 9 * 14).reshape(1, *SHAPE)
    np.testing.assert_allclose(resemblance(ramp, ramp[:, ::-1, ::-1]).rank, [-1])


def test_shrinking_averages_and_keeps_what_is_small():
    wide = torch.arange(2 * 20 * 128.0).view(2, 20, 128)
    small = shrink(wide)
    assert small.shape == (2, 20, 64)
    np.testing.assert_array_equal(small[1, 3], wide[1, 3].view(64, 2).mean(dim=1).numpy())


def test_chance_is_the_resemblance_to_other_images_maps():
    ours = maps(3)
    ours[2] = ours[0]
    found = chance(ours)
    apart = resemblance(ours[:1], ours[1:2])
    np.testing.assert_allclose(found.rank, [(1 + apart.rank[0]) / 2, apart.rank[0],
                                            (1 + apart.rank[0]) / 2])  # fmt: skip
    np.testing.assert_allclose(found.structure[1], apart.structure[0])
    assert np.isnan(chance(ours[:1]).rank).all()
