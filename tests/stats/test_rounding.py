"""Rounding of reported numbers: no last digit of a sum may decide anything."""

from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xaibench.report.judging.tested import contradicted
from xaibench.stats.intervals import intervals
from xaibench.stats.paired import paired_test
from xaibench.stats.resampling import Resampling
from xaibench.stats.rounding import DIGITS, P_DIGITS, rounded

NOISE = 1 + np.array([-4, -1, 0, 1, 4]) * 2.0**-52


@given(st.integers(1, 10**DIGITS - 1), st.integers(-30, 20), st.sampled_from([-1, 1]))
def test_numbers_of_few_digits_stay_and_ties_go_away_from_zero(digits, power, sign):
    number = Decimal(sign * digits).scaleb(power)
    assert rounded(float(number)) == float(number)
    tie = Decimal(sign * (digits * 10 + 5)).scaleb(power)
    unit = Decimal(1).scaleb(tie.adjusted() - DIGITS + 1)
    expected = float(tie.quantize(unit, ROUND_HALF_UP))
    assert set(rounded(float(tie) * NOISE).tolist()) == {expected}


def test_digits_below_the_error_of_the_terms_go():
    terms = np.array([0.1, 0.2, -0.3])
    assert terms.sum() != 0
    assert rounded(terms.sum(), scale=np.abs(terms).sum()) == 0
    assert rounded(1e-9 + terms.sum(), scale=1) == pytest.approx(1e-9, rel=1e-3)
    assert np.isnan(rounded([np.nan])).all()
    assert rounded([np.inf, -0.0, 0.0]).tolist() == [np.inf, 0, 0]


def test_sums_that_cancel_are_no_evidence():
    """The mean difference is 0 by hand: all signs reach it, however the sums are rounded."""
    differences = np.array([0.1, 0.2, -0.3, 0.7, -0.4, -0.3])
    labels = np.arange(6), np.zeros(6), np.zeros(6)
    assert differences.sum() != 0
    assert paired_test(differences, 0 * differences, *labels) == 1
    for order in (slice(None), slice(None, None, -1)):
        assert paired_test(differences[order], 0 * differences, *labels) == 1


def test_p_values_and_intervals_hold_when_the_scores_last_digits_move():
    generator = np.random.default_rng(3)
    values = np.repeat(generator.random(40).round(6), 2)[:, None] * [1, 0.9, 1.1]
    values[1::2] += generator.random((40, 3)).round(6) / 9
    labels = np.repeat(np.arange(40), 2), np.zeros(80), np.tile([0, 1], 40)
    found = []
    for noise in NOISE:
        table = values * noise
        ends = intervals(table, Resampling(*labels).means(table), *labels)
        p = paired_test(table[:, 0], table[:, 1], *labels)
        found.append((*rounded(ends, scale=1).ravel(), p))
    assert len(set(found)) == 1
    assert float(f"{found[0][-1]:.{P_DIGITS - 1}e}") == found[0][-1] < 1


def test_images_that_tie_contradict_no_means():
    """Over the images that both have, the columns' sums are equal by hand."""
    nan = np.nan
    values = np.array([[0.1, 0.3], [0.2, 0.2], [0.3, 0.1], [nan, 0.9], [0.1, nan]])
    assert values[:3, 0].sum() != values[:3, 1].sum()
    assert not contradicted(values).any()


def test_the_stream_that_published_tables_were_drawn_from():
    """Numpy may change it with a version: published intervals move then."""
    drawn = Resampling(np.arange(5), np.zeros(5), np.zeros(5), draws=3)
    assert drawn.means(np.arange(5.0)[:, None]).ravel().tolist() == [3, 1.25, 1]
