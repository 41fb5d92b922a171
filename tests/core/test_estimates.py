import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from xaibench.core.estimates import auroc, ratio


def test_the_parts_of_a_ratio_have_it_as_their_mean_and_leave_out_what_is_undefined():
    part, whole = [1, 0, np.nan, 2], [4, 3, 5, 2]
    parts = ratio(part, whole)
    assert np.isnan(parts[2])
    assert np.nanmean(parts) == pytest.approx(3 / 9)
    # 1/3 + (1 - 4/3) * 3/9 of the first.
    assert parts[0] == pytest.approx(1 / 3 - 1 / 9)
    assert np.isnan(ratio([0, 0], [0, 0])).all()


def test_the_area_is_sklearns_also_with_ties_and_below_one_half():
    rng = np.random.default_rng(3)
    positive, scores = rng.random(57) < 0.3, rng.integers(0, 9, 57)
    for sign in (1, -1):
        expected = roc_auc_score(positive, sign * scores)
        assert auroc(positive, sign * scores).mean() == pytest.approx(expected, abs=1e-12)


def test_an_area_of_a_fifth_stays_a_fifth():
    # Of five pairs the positive image wins one.
    assert auroc([1, 0, 0, 0, 0, 0], [2, 1, 3, 4, 5, 6]).mean() == pytest.approx(0.2)


def test_the_parts_spread_as_delong_has_it():
    rng = np.random.default_rng(8)
    sick, well = rng.normal(0.7, 1, 23), rng.normal(0, 1, 41)
    wins = sick[:, None] > well[None]
    expected = wins.mean(1).var() / 23 + wins.mean(0).var() / 41
    parts = auroc([1] * 23 + [0] * 41, np.concatenate([sick, well]))
    assert parts.var() / 64 == pytest.approx(expected)


@pytest.mark.parametrize("positive", [True, False])
def test_one_kind_of_images_has_no_area(positive):
    assert np.isnan(auroc([positive] * 3, [1, 2, 3])).all()
