"""The curve of a budget: what is planted comes back, and so does the budget where it crosses."""

import numpy as np
import pytest
from scipy.optimize import curve_fit

from xaibench.stats.budget_curve import crossings, fit_curves

BUDGETS = np.array([6.0, 12, 30, 60, 120])


def law(budget, ceiling, scale, power):
    return ceiling - scale * budget**-power


def test_a_planted_law_comes_back_and_crosses_where_it_must():
    scores = np.stack([law(BUDGETS, 0.7, 1.1, 0.8), law(BUDGETS, 0.5, 0.4, 0.3)])
    curves = fit_curves(BUDGETS, scores)
    wanted = [law(45.0, 0.7, 1.1, 0.8), law(45.0, 0.5, 0.4, 0.3)]
    np.testing.assert_allclose(curves.at(45.0), wanted, atol=2e-3)
    level = law(20.0, 0.7, 1.1, 0.8)
    assert crossings(curves, np.array([level, 0.9]))[0] == pytest.approx(20, rel=0.03)
    assert crossings(curves, np.array([level, 0.9]))[1] == np.inf


def test_it_fits_as_well_as_scipy_does():
    rng = np.random.default_rng(0)
    scores = law(BUDGETS, 0.6, 0.9, 0.7) + rng.normal(0, 0.02, (8, 5))
    curves = fit_curves(BUDGETS, scores)
    for row, told in enumerate(scores):
        found, _ = curve_fit(law, BUDGETS, told, (0.6, 0.5, 0.5), bounds=([-2, 0, 0.1], [2, 9, 3]))
        theirs = ((law(BUDGETS, *found) - told) ** 2).sum()
        ours = sum((curves.at(budget)[row] - told[at]) ** 2 for at, budget in enumerate(BUDGETS))
        assert ours <= theirs * 1.01 + 1e-6


def test_scores_that_fall_give_a_flat_curve_that_no_budget_lifts():
    falling = fit_curves(BUDGETS, np.array([[0.5, 0.4, 0.3, 0.2, 0.1]]))
    assert falling.scale == 0
    assert falling.at(1e6) == pytest.approx(0.3)
    assert crossings(falling, np.array([0.31])) == np.inf
    assert crossings(falling, np.array([0.29])) == 0
    with pytest.raises(ValueError, match="3 budgets"):
        fit_curves(BUDGETS[:2], np.zeros((1, 2)))
