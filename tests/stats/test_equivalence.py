import numpy as np
import pytest
from scipy.stats import ttest_1samp
from statsmodels.stats.weightstats import ttost_paired

from xaibench.stats.equivalence import equivalence_test, smallest_margin

NOISE = np.random.default_rng(0).normal(0.004, 0.05, 200)
LABELS = np.arange(200), np.zeros(200, int), np.zeros(200, int)


def test_two_one_sided_tests_agree_with_statsmodels():
    found = equivalence_test(NOISE, 0 * NOISE, *LABELS, margin=0.012)
    both, (_, above, _), (_, below, _) = ttost_paired(NOISE, 0 * NOISE, -0.012, 0.012)
    assert found.not_worse == pytest.approx(above, rel=0.2, abs=1e-5)
    assert found.not_better == pytest.approx(below, rel=0.2)
    assert found.both == max(found[:2]) == pytest.approx(both, rel=0.2)


def test_the_smallest_margin_is_the_end_of_the_one_sided_interval():
    worse = NOISE - 0.01
    low, _ = ttest_1samp(worse, 0).confidence_interval(0.9)
    assert smallest_margin(worse, 0 * worse, *LABELS) == pytest.approx(-low, rel=0.05)
    assert smallest_margin(NOISE + 0.1, 0 * NOISE, *LABELS) == 0
    assert np.isnan(smallest_margin(NOISE, 0 * NOISE, 0 * LABELS[0], *LABELS[1:]))
    assert np.isnan(equivalence_test(NOISE * np.nan, NOISE, *LABELS, margin=0.1).both)
