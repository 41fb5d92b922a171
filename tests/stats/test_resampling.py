import numpy as np
import pytest

from xaibench.stats import resampling
from xaibench.stats.clusters import clusters, spread
from xaibench.stats.intervals import interval
from xaibench.stats.rates import wilson
from xaibench.stats.resampling import Resampling

NAN = float("nan")
SCORES = np.random.default_rng(1).gamma(2, size=24)
ONE = np.zeros(24, int)


def test_means_are_means_of_drawn_groups():
    groups = np.array(["a", "a", "b", "c"])
    values = np.array([[1.0, 0], [2, 0], [10, 0], [100, 7]])
    same = np.zeros(4, int)
    means = Resampling(groups, same, same, draws=500).means(values)
    # Two of three groups are drawn: two units of a, one of b or one of c each.
    possible = [1.5, 10, 100, 13 / 3, 103 / 3, 55]
    assert set(np.round(means[:, 0], 9)) == set(np.round(possible, 9))
    share = means[:, 1] / 7
    np.testing.assert_allclose(share[np.isclose(means[:, 0], 103 / 3)], 1 / 3)
    np.testing.assert_allclose(share[np.isclose(means[:, 0], 55)], 1 / 2)


def test_variance_of_the_means_is_unbiased():
    draws = Resampling(np.arange(24), ONE, ONE, draws=40_000).means(SCORES[:, None])
    assert draws.mean() == pytest.approx(SCORES.mean(), rel=0.01)
    assert draws.var() == pytest.approx(SCORES.var(ddof=1) / 24, rel=0.03)


def test_groups_are_drawn_within_folds():
    folds = np.arange(24) % 4
    level = np.array([0.0, 5, 7, 100])[folds]
    means = Resampling(np.arange(24), folds, ONE).means(level[:, None])
    np.testing.assert_allclose(means, 28)
    uneven = np.minimum(np.arange(24) // 5, 3)  # 5, 5, 5 and 9 images keep their weights
    level = np.array([0.0, 5, 7, 100])[uneven]
    means = Resampling(np.arange(24), uneven, ONE).means(level[:, None])
    np.testing.assert_allclose(means, (25 + 35 + 900) / 24)


def test_a_fold_of_one_group_joins_the_others():
    folds = np.array([0] * 23 + [1])
    means = Resampling(np.arange(24), folds, ONE).means(np.eye(24)[:, [23]])
    assert np.unique(np.round(means * 23)).size > 2


def test_seeds_are_crossed_with_groups():
    group, seed = np.indices((8, 3)).reshape(2, -1)
    both = np.stack([seed**2.0, group, SCORES], axis=1)
    means = Resampling(group, ONE, seed, draws=40_000).means(both)
    found = [means[:, column].var() for column in range(2)]
    expected = [np.var([0, 1, 4], ddof=1) / 3, np.var(np.arange(8), ddof=1) / 8]
    np.testing.assert_allclose(found, expected, rtol=0.03)
    assert abs(np.corrcoef(means[:, :2].T)[0, 1]) < 0.03


def test_undefined_scores_are_left_out_of_the_draws():
    table = np.stack([SCORES, np.where(np.arange(24) < 20, NAN, SCORES), SCORES * NAN], axis=1)
    means = Resampling(np.arange(24), ONE, ONE).means(table)
    lost = np.isnan(means).mean(axis=0)
    assert lost[0] == 0
    assert lost[1] == pytest.approx((20 / 24) ** 23, abs=0.01)
    assert lost[2] == 1
    assert np.nanmin(means[:, 1]) >= SCORES[20:].min() - 1e-12
    assert Resampling([], [], []).means(np.empty((0, 2))).shape == (2000, 2)


def test_draws_do_not_depend_on_the_order_of_units_nor_on_other_columns():
    order = np.random.default_rng(0).permutation(24)
    groups, folds, seeds = np.arange(24) // 2, np.arange(24) // 12, np.arange(24) % 2
    one = Resampling(groups, folds, seeds).means(np.stack([SCORES, SCORES], axis=1))
    other = Resampling(groups[order], folds[order], seeds[order]).means(SCORES[order, None])
    np.testing.assert_allclose(one, other.repeat(2, axis=1))
    changed = Resampling(groups, folds, seeds, seed=1).means(SCORES[:, None])
    assert not np.allclose(changed, other)


def test_many_units_are_drawn_in_blocks(monkeypatch):
    monkeypatch.setattr(resampling, "_WEIGHTS_IN_MEMORY", 24 * 7)
    rows = []
    drawn = resampling._draw
    monkeypatch.setattr(resampling, "_draw", lambda *args: rows.append(args[1]) or drawn(*args))
    means = Resampling(np.arange(24), ONE, ONE, draws=2001).means(SCORES[:, None])
    assert max(rows) == 7
    assert means.shape == (2001, 1)
    assert np.unique(means).size > 1900
    assert means.var() == pytest.approx(SCORES.var(ddof=1) / 24, rel=0.15)


@pytest.mark.parametrize("folds", [1, 2])
def test_very_many_groups_are_drawn_in_bundles_that_scatter_alike(folds):
    # Classes are one behind the other, as the images' names do.
    groups = np.arange(6000) // 2
    fold, one = groups % folds, np.zeros(6000, int)
    values = np.stack([groups < 900, np.random.default_rng(0).gamma(2, size=6000)], axis=1)
    means = Resampling(groups, fold, one).means(values.astype(float))
    of_groups = values.reshape(-1, 2, 2).mean(axis=1)
    np.testing.assert_allclose(means.mean(axis=0), values.mean(axis=0), rtol=0.01)
    np.testing.assert_allclose(means.var(axis=0), of_groups.var(axis=0) / 3000, rtol=0.12)
    bundle = resampling._bundle(clusters(groups, fold, one)).group
    assert set(np.bincount(bundle)) == {4, 6}
    assert len(np.unique(bundle * 2 + fold)) == bundle.max() + 1 == 1024


def test_names_may_be_of_any_kind():
    numbers = Resampling(np.arange(6), ONE[:6], ONE[:6]).means(SCORES[:6, None])
    mixed = np.array([0, 1, "2", 3, 4, 5], object)
    names = Resampling(mixed, ["only"] * 6, ONE[:6]).means(SCORES[:6, None])
    np.testing.assert_array_equal(numbers, names)


def ends(scores, groups=None, folds=None, seeds=None, **options):
    count = len(scores)
    groups = np.arange(count) if groups is None else groups
    labels = groups, *(np.zeros(count, int) if x is None else x for x in (folds, seeds))
    means = Resampling(*labels).means(np.asarray(scores, float)[:, None])[:, 0]
    return interval(scores, means, *labels, **options)


def test_interval_of_symmetric_scores_is_student_s():
    scores = np.concatenate([np.arange(-12, 0), np.arange(1, 13)]) + 50.0
    low, high = ends(scores)
    reach = 2.0687 * scores.std(ddof=1) / np.sqrt(24)  # Student's 0.975 quantile, 23 degrees
    assert [low, high] == pytest.approx([50 - reach, 50 + reach], rel=0.01)
    narrow = ends(scores, level=0.5)
    assert low < narrow.low < 50 < narrow.high < high


def test_interval_leans_to_where_the_tail_is_and_turns_with_the_scores():
    low, high = ends(SCORES)
    assert high - SCORES.mean() > 1.1 * (SCORES.mean() - low)
    assert ends(-SCORES) == pytest.approx((-high, -low), abs=0.02)


def test_interval_of_nothing_but_hits_is_wilson_s_of_the_groups():
    groups = np.arange(24) // 3
    assert ends(np.ones(24), groups) == wilson(8, 8)
    assert ends(np.zeros(24), groups) == wilson(0, 8)
    assert ends(np.full(24, 0.3)) == pytest.approx((0.3, 0.3))


def test_interval_needs_two_groups():
    assert np.isnan(ends(SCORES, ONE)).all()
    assert np.isnan(ends(np.full(24, NAN))).all()
    assert np.isnan(ends([NAN] * 23 + [1.0])).all()


def test_spread_is_that_of_a_two_way_table():
    table = np.array([[1.0, 4, 2], [0, 3, 9], [7, 7, 1], [5, 6, 8]])
    group, seed = np.indices(table.shape).reshape(2, -1)
    found = spread(table.reshape(-1, 1), clusters(group, np.zeros(12), seed))
    rest = table - table.mean(1, keepdims=True) - table.mean(0) + table.mean()
    interaction = (rest**2).sum() / 6 / 12
    assert found.mean == pytest.approx(53 / 12)
    assert found.variance == pytest.approx(table.mean(1).var(ddof=1) / 4)
    assert found.training_variance == pytest.approx(
        max(table.mean(0).var(ddof=1) / 3 - interaction, 0)
    )
    assert (found.degrees, found.training_degrees) == (3, 2)
    further = table + np.array([0, 10, 30])
    apart = spread(further.reshape(-1, 1), clusters(group, np.zeros(12), seed))
    moved = further.mean(0).var(ddof=1) / 3 - interaction
    assert apart.training_variance == pytest.approx(moved)
    assert apart.variance == pytest.approx(found.variance)


def test_spread_within_folds_leaves_their_levels_out():
    folds = np.array([0, 0, 0, 1, 1])
    found = spread(np.array([[1.0, 2, 6, 100, 104]]).T, clusters(np.arange(5), folds, np.zeros(5)))
    # The mean is (3 a + 2 b) / 5 of the folds' means, whose variances are s^2 / 3 and s^2 / 2.
    assert found.variance == pytest.approx((9 * 7 / 3 + 4 * 8 / 2) / 25)
    assert found.degrees == 3


def test_trainings_vary_within_their_folds():
    of_training = np.array([[1.0, 4, 7], [20, 26, 20]])
    fold, image, seed = np.indices((2, 4, 3)).reshape(3, -1)
    units = clusters(image, fold, seed)
    found = spread(of_training[fold, seed][:, None], units)
    # Variances of 9 and 12 of three trainings each; the mean is that of both folds.
    assert found.training_variance == pytest.approx((9 / 3 + 12 / 3) / 4)
    assert (found.variance, found.training_degrees) == (pytest.approx(0), 4)
    drawn = Resampling(image, fold, seed, draws=20_000).means(of_training[fold, seed][:, None])
    assert drawn.var() == pytest.approx((9 / 3 + 12 / 3) / 4, rel=0.05)
