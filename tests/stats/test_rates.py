import numpy as np
import pytest
from statsmodels.stats import contingency_tables
from statsmodels.stats.proportion import proportion_confint

from xaibench.stats.rates import mcnemar, newcombe, wilson


@pytest.mark.parametrize("level", [0.9, 0.95])
def test_wilson_agrees_with_statsmodels(level):
    successes, counts = np.array([27, 29, 0, 7, 50, 4.5]), np.array([30, 30, 7, 7, 130, 9])
    expected = proportion_confint(successes, counts, 1 - level, "wilson")
    np.testing.assert_allclose(wilson(successes, counts, level=level), expected, atol=1e-12)


@pytest.mark.parametrize(("first", "second"), [(0, 1), (5, 5), (6, 2), (1, 30)])
def test_mcnemar_agrees_with_statsmodels(first, second):
    expected = contingency_tables.mcnemar([[40, first], [second, 9]], exact=True).pvalue
    assert mcnemar(*answers(40, first, second, 9)).p == pytest.approx(expected, abs=1e-12)


def test_wilson_takes_arrays_and_knows_no_rate_of_nothing():
    low, high = wilson(np.array([[27, 0, 3]]), [30, 0, 7])
    assert low.shape == high.shape == (1, 3)
    assert [low[0, 0], high[0, 0]] == pytest.approx(wilson(27, 30))
    assert np.isnan([low[0, 1], high[0, 1]]).all()
    assert np.isnan(wilson(0, 0)).all()
    assert all(isinstance(end, float) for end in wilson(1, 3))


def test_wilson_of_expected_hits_lies_between_its_neighbors():
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


def answers(both, first, second, none):
    counts = [both, first, second, none]
    return np.repeat([1, 1, 0, 0], counts), np.repeat([1, 0, 1, 0], counts)


def test_newcombe_gives_its_papers_example_and_turns_round_with_the_rates():
    found = newcombe(*answers(20, 12, 2, 16))
    assert found == pytest.approx((0.0562, 0.3292), abs=1e-4)
    assert newcombe(*answers(20, 2, 12, 16)) == pytest.approx((-found.high, -found.low))
    assert newcombe(*answers(0, 7, 0, 0))[0] > 0
    assert np.isnan(newcombe([], [])).all()


@pytest.mark.slow
def test_newcombe_holds_the_difference_and_agrees_with_the_test():
    counts = np.random.default_rng(0).multinomial(60, [0.85, 0.08, 0.03, 0.04], 2000)
    low, high = np.array([newcombe(*answers(*row)) for row in counts]).T
    assert ((low <= 0.05) & (high >= 0.05)).mean() >= 0.94
    # One case alone that only the first gets right is no evidence.
    assert mcnemar(*answers(93, 1, 0, 6)).p == 1
    assert newcombe(*answers(93, 1, 0, 6)).low < 0
