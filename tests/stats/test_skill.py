import numpy as np
import pytest

from xaibench.stats.skill import skill


def test_skill_is_0_where_trivial_and_1_at_the_bound():
    found = skill(np.array([[0.22], [0.7], [0.1]]), 0.22, [0.7, 0.46])
    np.testing.assert_allclose(found, [[0, 0], [1, 2], [-0.25, -0.5]], atol=1e-12)


def test_lower_scores_may_be_the_better_ones():
    assert skill(0.3, 0.5, 0.1, higher_is_better=False) == pytest.approx(0.5)
    assert skill(0.6, 0.5, 0.1, higher_is_better=False) == pytest.approx(-0.25)


@pytest.mark.parametrize("upper", [0.22, 0.1, float("nan")])
def test_a_bound_that_is_not_better_bounds_nothing(upper):
    assert np.isnan(skill(0.3, 0.22, upper))
    assert np.isnan(skill(0.3, 0.22, 0.7, higher_is_better=False))
