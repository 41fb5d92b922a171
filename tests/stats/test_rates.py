import numpy as np
import pytest
from scipy.stats import binomtest, fisher_exact

from xaibench.stats.rates import fisher, mcnemar, wilson


@pytest.mark.parametrize(("successes", "count"), [(27, 30), (29, 30), (0, 7), (7, 7), (50, 130)])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_wilson_agrees_with_scipy(successes, count, level):
    expected = binomtest(successes, count).proportion_ci(level, method="wilson")
    assert wilson(successes, count, level=level) == pytest.approx(tuple(expected))


def test_wilson_takes_arrays_and_knows_no_rate_of_nothing():
    low, high = wilson(np.array([[27, 0, 3]]), [30, 0, 7])
    assert low.shape == high.shape == (1, 3)
    assert [low[0, 0], high[0, 0]] == pytest.approx(wilson(27, 30))
    assert np.isnan([low[0, 1], high[0, 1]]).all()
    assert np.isnan(wilson(0, 0)).all()
    assert all(isinstance(end, float) for end in wilson(1, 3))


def test_wilson_of_expected_hits_lies_between_its_neighbours():
    ends = np.array([wilson(x, 30) for x in (26, 26.5, 27)])
    assert (np.diff(ends, axis=0) > 0).all()
    for count in range(1, 200):
        assert wilson(0, count).low == 0
        assert wilson(count, count).high == 1


def test_wilson_holds_the_rate():
    counts = np.random.default_rng(0).binomial(60, 0.9, 20_000)
    low, high = wilson(counts, 60)
    assert ((low <= 0.9) & (high >= 0.9)).mean() == pytest.approx(0.95, abs=0.02)


def test_mcnemar_counts_what_only_one_gets_right():
    first = np.array([True] * 5 + [False] * 4 + [True] * 6)
    second = np.array([True] * 5 + [False] * 2 + [True] * 2 + [False] * 6)
    found = mcnemar(first, second)
    # Both sides of 8 fair coins: 1, 8 and 28 of 256 each.
    assert found == (6, 2, pytest.approx(2 * (1 + 8 + 28) / 256))
    assert mcnemar(second, first)[:2] == (2, 6)
    assert mcnemar(first, first) == (0, 0, 1.0)


def test_fisher_says_that_27_and_29_of_30_are_no_evidence():
    assert fisher(27, 30, 29, 30) == pytest.approx(0.6120, abs=5e-5)
    assert fisher(3, 20, 14, 25) == fisher_exact([[3, 17], [14, 11]]).pvalue
    assert fisher(0, 0, 3, 5) == 1.0
