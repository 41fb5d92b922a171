import numpy as np
import pytest
from scipy.stats import t, ttest_1samp
from statsmodels.stats.weightstats import ttost_paired

from xaibench.stats.equivalence import equivalence_tests
from xaibench.stats.training_sets import training_sets

RANDOM = np.random.default_rng(0)
NOISE = RANDOM.normal(0.004, 0.05, 200)
LABELS = np.arange(200), np.zeros(200, int), np.zeros(200, int)


def test_two_one_sided_tests_agree_with_statsmodels_and_scipy():
    gaps = np.stack([NOISE, 0.03 + 3 * NOISE[::-1], -0.02 + NOISE], axis=1)
    found, over_sets = equivalence_tests(gaps, *LABELS, margin=0.012)
    for at, gap in enumerate(gaps.T):
        both, (_, above, _), (_, below, _) = ttost_paired(gap, 0 * gap, -0.012, 0.012)
        close = {"rel": 0.2, "abs": 1e-5}
        assert found.not_worse[at] == pytest.approx(above, **close)
        assert found.not_better[at] == pytest.approx(below, **close)
        assert found.both[at] == pytest.approx(both, **close)
        assert above == pytest.approx(ttest_1samp(gap, -0.012, alternative="greater").pvalue)
    assert np.isnan(over_sets).all()


def test_new_training_sets_leave_less_to_be_sure_of():
    folds, images, seeds = np.indices((5, 20, 3)).reshape(3, -1)
    apart = RANDOM.normal(0, 0.03, 5)[folds] + RANDOM.normal(0, 0.05, len(folds))
    labels = folds * 20 + images, folds, seeds
    sets = training_sets(*labels)
    of_images, over_sets = equivalence_tests(apart[:, None], *labels, margin=0.05, sets=sets)
    # Nadeau and Bengio's corrected t-test of five folds' means, by hand.
    means = np.array([apart[folds == fold].mean() for fold in range(5)])
    error = np.sqrt((1 / 5 + 1 / 4) * means.var(ddof=1))

    expected = t.sf((means.mean() + 0.05) / error, 4)
    assert over_sets.not_worse[0] == pytest.approx(max(expected, of_images.not_worse[0]), rel=1e-4)
    assert of_images.not_worse[0] < over_sets.not_worse[0]


def test_what_is_undefined_tells_nothing():
    gaps = np.stack([NOISE * np.nan, NOISE], axis=1)
    found, _ = equivalence_tests(gaps, *LABELS, margin=0.1)
    assert np.isnan(found.both).tolist() == [True, False]
    one_group, _ = equivalence_tests(gaps, 0 * LABELS[0], *LABELS[1:], margin=0.1)
    assert np.isnan(one_group).all()


@pytest.mark.slow
def test_a_difference_of_the_margin_is_seldom_called_equivalent():
    skewed = RANDOM.exponential(size=(60, 2000)) * (RANDOM.random((60, 2000)) < 0.5) - 0.5
    labels = np.arange(60), np.zeros(60, int), np.zeros(60, int)
    for way in (1, -1):
        found, _ = equivalence_tests(way * skewed + 0.4, *labels, margin=0.4)
        assert (found.both <= 0.05).mean() <= 0.06
