"""Folds as random: what is said of new training sets holds where folds differ by chance."""

import numpy as np
import pytest
from scipy.stats import t

from xaibench.stats.pairwise import paired_tests
from xaibench.stats.training_sets import set_p, set_reach, set_spread, training_sets


def design(folds=5, groups=12, seeds=3):
    """Two images in every third group; a line for each image and seed of a fold."""
    of_group = np.repeat(np.arange(groups), np.where(np.arange(groups) % 3, 1, 2))
    fold, place, seed = np.indices((folds, len(of_group), seeds)).reshape(3, -1)
    return len(of_group) * fold + place, groups * fold + of_group[place], fold, seed


def test_the_corrected_t_test_of_folds_by_hand():
    sample, group, fold, seed = design(folds=5, groups=6)
    values = np.random.default_rng(0).normal(size=(len(sample), 2)) + 0.1
    sets = training_sets(sample, fold, seed)
    assert sets.test_ratio == pytest.approx(1 / 4)
    means = values.reshape(5, -1, 2).mean(axis=1)
    error = np.sqrt(means.var(axis=0, ddof=1) * (1 / 5 + 1 / 4))
    found = set_spread(values, sets)
    np.testing.assert_allclose(
        set_p(found), 2 * t.sf(np.abs(means.mean(axis=0)) / error, 4), rtol=1e-9
    )
    np.testing.assert_allclose(set_reach(found), t.ppf(0.975, 4) * error)
    p = paired_tests(np.column_stack([values, 0 * fold]), group, fold, seed, sets=sets)
    assert (p.training_sets[:2, 2] >= p.images[:2, 2]).all()
    assert (p.training_sets[:2, 2] >= set_p(found) - 1e-6).all()


def test_repeated_folds_count_the_test_images_of_one():
    order = [np.random.default_rng(each).permutation(30) for each in range(3)]
    sample = np.tile(np.concatenate(order), 2)
    fold, seed = np.tile(np.repeat(np.arange(15), 6), 2), np.repeat([0, 1], 90)
    sets = training_sets(sample, fold, seed)
    assert sets.test_ratio == pytest.approx(1 / 4)
    values = np.random.default_rng(1).normal(size=(180, 1))
    means = np.array([values[fold == each].mean() for each in range(15)])
    found = set_spread(values, sets)
    assert found.variance[0] == pytest.approx(means.var(ddof=1) * (1 / 15 + 1 / 4))
    assert found.degrees == pytest.approx(14)


def test_nothing_tells_of_new_training_sets():
    sample, _, fold, seed = design()
    assert training_sets(sample, fold, 0 * seed) is None  # a single seed says that it can't
    assert training_sets(sample, 0 * fold, seed) is None
    everywhere = np.tile(np.arange(20), 10)  # every fold is tested on the same images
    assert training_sets(everywhere, np.repeat(range(5), 40), np.repeat(range(2), 100)) is None


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [3, 10])
@pytest.mark.parametrize("effect", [0, 0.012, 0.03, 0.05])
@pytest.mark.parametrize("draw", ["normal", "skewed"])
def test_folds_that_differ_by_chance_are_allowed_for(draw, effect, seeds):
    """Differences of an IoU: images in groups, trainings in folds, and folds of random level."""
    random, repetitions = np.random.default_rng(seeds), 2000
    sample, group, fold, seed = design(groups=45, seeds=seeds)
    cell = np.unique(seeds * fold + seed, return_inverse=True)[1]

    def noise(size):
        shape = size, repetitions
        return random.normal(size=shape) if draw == "normal" else random.exponential(size=shape) - 1

    values = effect * random.normal(size=(5, repetitions))[fold]
    values += 0.2 * noise(group.max() + 1)[group] + 0.02 * noise(cell.max() + 1)[cell]
    values += 0.1 * random.normal(size=values.shape)
    sets = training_sets(sample, fold, seed)
    found = set_spread(values, sets)
    assert (np.abs(found.mean) <= set_reach(found)).mean() >= 0.93
    assert (set_p(found) <= 0.05).mean() <= 0.07
