"""Do 95 % intervals hold the truth 95 times in a hundred? On scores whose mean is known."""

import numpy as np
import pytest
from simulated import (
    at_least,
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
    uneven,
)

from xaibench.stats.intervals import interval
from xaibench.stats.resampling import Resampling


def covered(trials, groups=None):
    """Count the repetitions whose interval holds the truth."""
    labels = (trials.groups if groups is None else groups), trials.folds, trials.seeds
    means = Resampling(*labels, draws=1000).means(trials.values)
    ends = np.array(
        [
            interval(scores, drawn, *labels)
            for scores, drawn in zip(trials.values.T, means.T, strict=True)
        ]
    )
    return int(((ends[:, 0] <= trials.true) & (trials.true <= ends[:, 1])).sum())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("trials", "lowest", "highest"),
    one_by_default(
        pytest.param(lambda: independent(normal, 0.0), 0.945, 0.955, id="130 images"),
        pytest.param(lambda: independent(normal, 0.0, images=8), 0.94, 0.96, id="8 images"),
        pytest.param(clustered, 0.94, 0.955, id="groups of 1 to 6"),
        pytest.param(lambda: uneven(0.4), 0.94, 0.97, id="30 images, a large group"),
        pytest.param(lambda: uneven(0.8), 0.94, 0.975, id="30 images, a tight large group"),
        pytest.param(lambda: independent(skewed, 0.4), 0.935, 0.955, id="skewed"),
        pytest.param(lambda: independent(hits(0.9), 0.9), 0.94, 0.96, id="hits"),
        pytest.param(lambda: independent(hits(0.97), 0.97), 0.925, 0.96, id="nearly all hits"),
        pytest.param(lambda: independent(hits(0.97), 0.97, images=30), 0.94, 1, id="few hits"),
        pytest.param(folded, 0.94, 0.955, id="5 folds with holes"),
        pytest.param(lambda: seeded(0.0), 0.945, 0.97, id="3 seeds alike"),
        pytest.param(lambda: seeded(0.1), 0.945, 0.975, id="3 seeds somewhat apart"),
        pytest.param(lambda: seeded(0.4), 0.945, 0.97, id="3 seeds apart"),
        pytest.param(lambda: seeded(0.2, seeds=5), 0.945, 0.97, id="5 seeds"),
        pytest.param(lambda: seeded(0.2, seeds=2), 0.915, 0.97, id="2 seeds"),
        pytest.param(lambda: retrained(0.1), 0.94, 0.965, id="3 seeds alike in 5 folds"),
        pytest.param(lambda: retrained(0.5), 0.94, 0.965, id="3 seeds apart in 5 folds"),
        pytest.param(lambda: retrained(0.5, seeds=2), 0.94, 0.97, id="2 seeds in 5 folds"),
    ),
)
def test_intervals_hold_the_truth_as_often_as_they_say(trials, lowest, highest):
    made = trials()
    count, repetitions = covered(made), made.values.shape[1]
    assert at_least(count, repetitions, lowest), count / repetitions
    assert at_most(count, repetitions, highest), count / repetitions


@pytest.mark.slow
def test_ignoring_groups_claims_too_much():
    made = clustered()
    alone = np.arange(len(made.groups))
    assert covered(made, groups=alone) < 0.85 * made.values.shape[1]


@pytest.mark.slow
def test_ignoring_seeds_claims_too_much():
    made = seeded(0.4)
    blind = made._replace(seeds=np.zeros_like(made.seeds))
    assert covered(blind) < 0.6 * made.values.shape[1]
