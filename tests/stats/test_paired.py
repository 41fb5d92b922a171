from itertools import product

import numpy as np
import pytest
from scipy.stats import binomtest, permutation_test, ttest_1samp, wilcoxon
from simulated import (
    at_most,
    clustered,
    folded,
    hits,
    independent,
    normal,
    one_by_default,
    retrained,
    seeded,
    skewed,
)
from statsmodels.stats.multitest import multipletests

from xaibench.stats.mean_tests import MeanTest, mean_tests
from xaibench.stats.paired import holm, paired_test
from xaibench.stats.sign_flips import sign_flip_p

NAN = float("nan")
ZEROS = np.zeros(10, int)
A = np.array([0.9, 0.4, 0.5, 0.7, 0.6, 0.8, 0.3, 0.75, 0.55, 0.95])
B = np.array([0.7, 0.45, 0.3, 0.65, 0.4, 0.5, 0.35, 0.6, 0.5, 0.6])


def p_of(a, b, groups=None, folds=None, seeds=None, **options):
    count = len(a)
    groups = np.arange(count) if groups is None else groups
    rest = (np.zeros(count, int) if labels is None else labels for labels in (folds, seeds))
    return paired_test(a, b, groups, *rest, **options)


def test_signs_of_few_groups_are_all_tried():
    sums = np.array([0.2 - 0.05, 0.2, 0.05, 0.2, 0.3, -0.05 + 0.15, 0.05 + 0.35])
    groups = np.array([0, 0, 1, 2, 3, 4, 5, 5, 6, 6])
    totals = [abs(np.dot(signs, sums)) for signs in product([-1, 1], repeat=7)]
    expected = np.mean(np.array(totals) >= sums.sum() - 1e-12)
    assert p_of(A, B, groups) == expected == p_of(B, A, groups) == 2 / 128


@pytest.mark.slow
def test_signs_of_many_groups_agree_with_scipy():
    random = np.random.default_rng(2)
    a, b = random.gamma(2, size=(2, 40))
    a += 0.3
    reference = permutation_test(
        (a, b),
        lambda x, y: (x - y).mean(),
        permutation_type="samples",
        n_resamples=50_000,
        random_state=0,
    )
    (p,) = sign_flip_p((a - b)[:, None])
    assert p == pytest.approx(reference.pvalue, abs=0.006)
    assert 0.01 < p < p_of(a, b) < 0.2


@pytest.mark.parametrize("groups", [13, 20, 27, 30])
def test_signs_of_some_groups_are_counted_where_that_decides(groups):
    whole = np.random.default_rng(groups).integers(3, 10, groups) * np.where(
        np.arange(groups) == 4, -1, 1
    )
    counts = np.ones(1)  # of each sum of all signs, from the lowest
    for step in np.abs(whole):
        counts = np.convolve(counts, [1, *np.zeros(2 * step - 1), 1])
    sums = np.arange(len(counts)) - np.abs(whole).sum()
    exact = counts[np.abs(sums) >= whole.sum()].sum() / 2**groups
    assert sign_flip_p(whole[:, None] / 10)[0] == pytest.approx(exact, rel=1e-9)


def test_very_small_p_values_are_told_apart_and_never_too_small():
    random = np.random.default_rng(3)
    noise = random.normal(size=130)
    found = [p_of(noise + shift, 0 * noise) for shift in (0.5, 0.8, 1.2)]
    exact = [ttest_1samp(noise + shift, 0).pvalue for shift in (0.5, 0.8, 1.2)]
    assert 1e-4 > found[0] > found[1] > found[2]
    assert (np.array(found) > exact).all()


def test_more_groups_than_bundles():
    random = np.random.default_rng(4)
    noise = random.normal(size=3000)
    expected = ttest_1samp(noise + 0.03, 0).pvalue
    assert p_of(noise + 0.03, 0 * noise) == pytest.approx(expected, rel=0.5)
    assert 0.001 < expected < 0.2


def test_only_what_both_define_counts_and_equal_columns_never_differ():
    holed = np.where(np.arange(10) < 3, NAN, A)
    assert p_of(holed, B) == p_of(A[3:], B[3:])
    assert p_of(A, A) == 1.0
    assert p_of(np.ones(10), np.zeros(10), groups=ZEROS) != p_of(A, A)
    for method in ("mean", "wilcoxon"):
        turned = np.array([1.0, -1] * 5)
        assert p_of(turned, 0 * turned, groups=np.arange(10) // 2, method=method) == 1.0


def test_one_group_tells_nothing():
    assert np.isnan(p_of(A, B, groups=ZEROS))
    assert np.isnan(p_of(A, A * NAN))
    assert not np.isnan(p_of(A, B, groups=ZEROS, folds=np.arange(10) // 5))


def test_wilcoxon_ranks_the_groups_means():
    random = np.random.default_rng(5)
    a, b = random.normal(0.2, size=(2, 60)) + random.normal(size=60)
    groups = np.repeat(np.arange(20), 3)
    means = (a - b).reshape(20, 3).mean(axis=1)
    assert p_of(a, b, groups, method="wilcoxon") == wilcoxon(means).pvalue


def test_two_seeds_that_disagree_are_no_evidence_however_many_images():
    images, seeds = np.indices((200, 2)).reshape(2, -1)
    noise = np.random.default_rng(6).normal(size=400) * 0.1
    apart = np.where(seeds == 0, 0.9, 0.1) + noise
    assert p_of(apart, 0 * apart) < 1e-4
    assert p_of(apart, 0 * apart, images, seeds=seeds) > 0.3
    alike = 0.5 + noise
    assert p_of(alike, 0 * alike, images, seeds=seeds) < 0.05


def rejected(trials, level=0.05, shift=0.0):
    scores = (trials.values - trials.true + shift).T
    found = [paired_test(column, 0 * column, *trials.labels) for column in scores]
    return int((np.array(found) <= level).sum())


@pytest.mark.parametrize(
    ("trials", "highest"),
    one_by_default(
        pytest.param(lambda: independent(normal, 0.0), 0.05, id="130 images"),
        pytest.param(lambda: independent(normal, 0.0, images=8), 0.05, id="8 images"),
        pytest.param(clustered, 0.05, id="groups of 1 to 6"),
        pytest.param(lambda: independent(skewed, 0.4), 0.07, id="as skewed as no difference is"),
        pytest.param(lambda: folded(0.2), 0.05, id="5 folds with holes"),
        pytest.param(lambda: seeded(0.0, repetitions=400), 0.05, id="3 seeds alike"),
        pytest.param(lambda: seeded(0.1, repetitions=400), 0.05, id="3 seeds somewhat apart"),
        pytest.param(lambda: seeded(0.4, repetitions=400), 0.05, id="3 seeds apart"),
        pytest.param(lambda: seeded(0.2, seeds=2, repetitions=400), 0.07, id="2 seeds"),
        pytest.param(lambda: retrained(0.5, repetitions=400), 0.05, id="3 seeds apart in 5 folds"),
    ),
)
def test_no_difference_is_found_where_there_is_none(trials, highest):
    made = trials()
    count, repetitions = rejected(made), made.values.shape[1]
    assert at_most(count, repetitions, highest), count / repetitions
    assert count > 0.01 * repetitions, "so careful a test finds nothing"


def share_of_all_signs(whole):
    """By convolution: the chance of each sum of whole numbers, from the lowest."""
    chances = np.ones(1)
    for step in np.abs(whole[whole != 0]):
        chances = np.convolve(chances, [0.5, *np.zeros(2 * step - 1), 0.5])
    sums = np.arange(len(chances)) - np.abs(whole).sum()
    return chances[np.abs(sums) >= abs(whole.sum())].sum()


@pytest.mark.parametrize("shift", [0, 0.2, 0.6])
def test_signs_of_many_groups_are_approximated_to_a_hundredth(shift):
    random = np.random.default_rng(9)
    hits = random.choice([-1, 0, 1], 61, p=[0.3 - shift / 2, 0.4, 0.3 + shift / 2])
    scores = np.rint(30 * random.normal(shift, 1, 61)).astype(int)
    mostly_equal = np.where(np.arange(61) % 2, 0, scores)
    found = sign_flip_p(np.stack([hits, scores, mostly_equal], axis=1) / 30)
    exact = [share_of_all_signs(whole) for whole in (hits, scores, mostly_equal)]
    np.testing.assert_allclose(found, exact, rtol=0.02)


def in_groups(values, sizes):
    """Sum up a column's images group by group: half of what a group differs by is common."""
    own = values[: sizes.sum()] + np.repeat(values[-len(sizes) :], sizes, axis=0)
    return np.add.reduceat(own, np.cumsum(sizes) - sizes) / 2


def without_difference(random, groups, repetitions):
    """Yield skewed differences of mean 0, by name, and how many images each group has."""
    shape, ones = (groups, repetitions), np.ones(groups, int)
    sizes = np.tile([1, 3, 1, 2, 6], groups)[:groups]
    images = (sizes.sum() + groups, repetitions)

    def tied(values, share):
        return np.where(random.random(values.shape) < share, 0, values)

    def lognormal(shape):
        return random.lognormal(size=shape) - np.exp(0.5)

    yield "lognormal", lognormal(shape), ones
    yield "half-tied lognormal", tied(lognormal(shape), 0.5), ones
    yield "tied exponential", tied(random.exponential(size=shape) - 1, 0.6), ones
    yield "tied beta", tied(random.beta(0.3, 3, size=shape) - 1 / 11, 0.7), ones
    yield "zeros and exponential", tied(random.exponential(size=shape), 0.6) - 0.4, ones
    yield "lognormal groups", in_groups(tied(lognormal(images), 0.5), sizes), sizes
    yield "equal groups", sizes[:, None] * tied(lognormal(shape), 0.5), sizes


def too_many(groups, repetitions):
    random = np.random.default_rng(groups)
    for name, sums, sizes in without_difference(random, groups, repetitions):
        (p,) = mean_tests([MeanTest(sums, sizes, None)])
        for level, highest in ((0.001, 0.0015), (0.05, 0.055)):
            if not at_most(found := int((p <= level).sum()), repetitions, highest):
                yield name, level, found / repetitions


def test_small_p_values_of_skewed_differences_are_rare():
    random = np.random.default_rng(60)
    drawn = random.lognormal(size=(60, 1000)) - np.exp(0.5)
    tied = np.where(random.random(drawn.shape) < 0.5, 0, drawn)
    (p,) = mean_tests([MeanTest(tied, np.ones(60), None)])
    assert at_most(int((p <= 0.001).sum()), 1000, 0.0015)
    assert at_most(int((p <= 0.05).sum()), 1000, 0.05)


@pytest.mark.slow
@pytest.mark.parametrize("groups", [60, 120, 300])
def test_very_small_p_values_of_skewed_differences_are_as_rare_as_they_say(groups):
    assert not list(too_many(groups, 3000))


@pytest.mark.parametrize(("groups", "lost"), [(60, 0.12), (120, 0.04)])
def test_what_care_with_skewness_costs_even_differences(groups, lost):
    random = np.random.default_rng(groups)
    even = random.normal(size=(groups, 1000)) + 3.5 / np.sqrt(groups)
    power = np.mean(mean_tests([MeanTest(even, np.ones(groups), None)])[0] <= 0.01)
    exact = np.mean(ttest_1samp(even, 0).pvalue <= 0.01)
    assert exact - lost < power < exact


def test_signs_alone_decide_where_all_that_differ_do_so_by_the_same_amount():
    hits = np.repeat([1.0, -1.0, 0.0], [16, 4, 40])[:, None]
    (p,) = mean_tests([MeanTest(hits, np.ones(60), None)])
    assert p[0] == pytest.approx(binomtest(4, 20).pvalue, rel=1e-5)


@pytest.mark.slow
def test_no_difference_of_hits_is_found_where_there_is_none():
    first, second = independent(hits(0.8), 0.8), independent(hits(0.8), 0.8, images=131)
    made = first._replace(values=first.values - second.values[:130], true=0.0)
    assert at_most(rejected(made), 1000, 0.05)


def test_trainings_of_other_folds_count_as_further_trainings():
    fold, image, seed = np.indices((5, 20, 3)).reshape(3, -1)
    random = np.random.default_rng(8)
    noise = 0.2 * random.normal(size=(5, 1, 3)) + 0.1 * random.normal(size=(5, 20, 3))
    values = 0.3 + noise.ravel()
    one_fold = fold == 0
    few = p_of(values[one_fold], 0 * values[one_fold], image[one_fold], seeds=seed[one_fold])
    all_folds = p_of(values, 0 * values, image, fold, seed)
    assert all_folds < 1e-3
    assert few > 0.01
    # A fold that was trained once only tells nothing of trainings: a seed's are one again.
    kept = (fold > 0) | (seed == 0)
    p = p_of(values[kept], 0 * values[kept], image[kept], fold[kept], seed[kept])
    assert p > all_folds


@pytest.mark.slow
def test_power_rises_with_the_difference():
    made = independent(normal, 0.0, repetitions=400)
    found = [rejected(made, shift=shift) / 400 for shift in (0, 0.15, 0.25, 0.5)]
    # The normal test's power at n = 130 and sd 1.
    np.testing.assert_allclose(found, [0.05, 0.4, 0.81, 1], atol=0.06)


@pytest.mark.slow
def test_ignoring_groups_finds_what_is_not_there():
    made = clustered()
    assert rejected(made._replace(groups=np.arange(len(made.groups)))) > 150


def test_holm_agrees_with_statsmodels_and_leaves_what_is_undefined():
    known = np.random.default_rng(1).random((3, 7)) ** 3
    known[0, :3] = 0.01
    table = np.hstack([known, np.full((3, 2), NAN)])
    expected = multipletests(known.ravel(), method="holm")[1].reshape(known.shape)
    np.testing.assert_allclose(holm(table)[:, :7], expected, atol=1e-12)
    assert np.isnan(holm(table)[:, 7:]).all()
    assert holm([]).shape == (0,)


def test_holm_keeps_the_chance_of_any_false_finding():
    random = np.random.default_rng(7)
    from_nothing = random.random((4000, 8))
    found = random.random((4000, 2)) * 1e-4  # two of ten hypotheses are false
    adjusted = np.array([holm(row) for row in np.hstack([from_nothing, found])])
    wrong = (adjusted[:, :8] <= 0.05).any(axis=1)
    assert at_most(int(wrong.sum()), 4000, 0.05)
    assert wrong.mean() > 0.035
    assert (adjusted[:, 8:] <= 0.05).all()
    assert (from_nothing <= 0.05).any(axis=1).mean() > 0.3
