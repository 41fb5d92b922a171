"""Intervals of areas under the ROC curve hold the truth, also with three positives."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from xaibench.stats.auroc import auroc_interval


def test_the_area_lies_inside_and_many_cases_give_delongs_interval():
    random = np.random.default_rng(0)
    positive = np.arange(3000) % 3 == 0
    scores = np.round(random.normal(size=3000) + positive, 1)
    low, high = auroc_interval(positive, scores)
    area = roc_auc_score(positive, scores)
    wins = (scores[positive][:, None] > scores[~positive]) + 0.5 * (
        scores[positive][:, None] == scores[~positive]
    )
    error = np.sqrt(wins.mean(axis=1).var(ddof=1) / 1000 + wins.mean(axis=0).var(ddof=1) / 2000)
    np.testing.assert_allclose([low, high], area + 1.96 * error * np.array([-1, 1]), atol=4e-4)


def test_perfect_ranks_of_few_leave_room_below_and_turned_ones_mirror_it():
    positive, scores = np.arange(20) < 2, -np.arange(20.0)
    low, high = auroc_interval(positive, scores)
    assert high == 1
    assert 0.3 < low < 0.7
    np.testing.assert_allclose(auroc_interval(positive, -scores), [0, 1 - low], atol=1e-12)
    assert np.isnan(auroc_interval(positive, scores, level=0.9)).sum() == 0
    assert np.isnan(auroc_interval(np.ones(5, bool), np.arange(5))).all()


@pytest.mark.slow
@pytest.mark.parametrize("counts", [(3, 57), (5, 55), (10, 50), (57, 3)])
@pytest.mark.parametrize(
    ("draw", "true"),
    [
        (lambda random, shape, up: random.normal(size=shape) + 1.5 * up, norm.cdf(1.5 / 2**0.5)),
        (lambda random, shape, up: random.exponential(size=shape) * (8 if up else 1), 8 / 9),
        (lambda random, shape, up: -random.exponential(size=shape) * (1 if up else 8), 8 / 9),
        (lambda random, shape, up: random.normal(size=shape) * (3 if up else 1) + up,
         norm.cdf(1 / 10**0.5)),
        (lambda random, shape, up: random.normal(size=shape)
         + 4 * (random.random(shape) < 0.8) * up, 0.8 * norm.cdf(4 / 2**0.5) + 0.2 / 2),
    ],
)  # fmt: skip
def test_intervals_hold_the_truth(draw, true, counts):
    random, held, repetitions = np.random.default_rng(sum(counts)), 0, 1500
    positive = np.repeat([True, False], counts)
    for _ in range(repetitions):
        scores = np.concatenate([draw(random, counts[0], 1), draw(random, counts[1], 0)])
        low, high = auroc_interval(positive, scores)
        held += low <= true <= high
    assert held >= 0.92 * repetitions
