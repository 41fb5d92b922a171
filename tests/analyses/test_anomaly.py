import numpy as np
import pytest
from sklearn.metrics import auc

from xaibench.analyses.anomaly import anomaly
from xaibench.core.errors import XaibenchError

NAMES = ("virus", "normal", "bacteria")
TRAIN = np.array([0.1, 0.3, 9.0]), np.array([1, 1, 0])


def test_threshold_and_rates_by_hand():
    errors, labels = np.array([0.1, 0.25, 0.3, 0.15, 0.05]), np.array([1, 1, 0, 2, 2])
    found = anomaly(errors, labels, *TRAIN, NAMES).quantities
    # The sick training image has no say.
    assert found["threshold"] == pytest.approx(0.2)
    assert np.nanmean(found["sensitivity"]) == pytest.approx(1 / 3)
    assert np.nanmean(found["specificity"]) == pytest.approx(1 / 2)
    assert found["accuracy"].mean() == pytest.approx(2 / 5)
    assert np.isnan(found["sensitivity"]).tolist() == [True, True, False, False, False]


def test_the_threshold_can_be_a_quantile_of_the_healthy():
    train = np.array([0.0, 1.0, 2.0, 3.0, 4.0, 99.0]), np.array([1, 1, 1, 1, 1, 0])
    some = np.array([3.1, 2.9]), np.array([0, 1])
    found = anomaly(*some, *train, NAMES, threshold="quantile", quantile=0.75)
    assert found.quantities["threshold"] == 3
    assert found.quantities["accuracy"].tolist() == [1, 1]
    with pytest.raises(XaibenchError, match="quantile=1"):
        anomaly(*some, *train, NAMES, quantile=1.0)


def test_what_is_reconstructed_better_when_sick_stays_below_one_half():
    errors, labels = np.array([1, 2, 3, 4, 5, 1.5]), np.array([1, 1, 1, 1, 1, 0])
    found = anomaly(errors, labels, *TRAIN, NAMES)
    assert found.quantities["auroc"].mean() == pytest.approx(0.2)
    curve = found.tables["roc"]
    assert auc(curve["false_alarms"], curve["sensitivity"]) == pytest.approx(0.2)


def test_several_classes_can_be_healthy():
    errors, labels = np.array([0.1, 0.2, 0.9]), np.array([1, 0, 2])
    found = anomaly(errors, labels, *TRAIN, NAMES, healthy=("normal", "virus"))
    assert found.images["state"].tolist() == ["healthy", "healthy", "sick"]
    assert found.quantities["threshold"] == pytest.approx(9.4 / 3)


def test_the_healthy_alone_have_no_area_and_no_sensitivity():
    found = anomaly(np.array([0.1, 0.4]), np.array([1, 1]), *TRAIN, NAMES).quantities
    assert np.isnan(found["auroc"]).all()
    assert np.isnan(found["sensitivity"]).all()
    assert found["specificity"].tolist() == [1, 0]


def test_unknown_classes_and_missing_ones_are_told():
    some = np.array([0.1]), np.array([0])
    with pytest.raises(XaibenchError, match=r"no class 'norml' .did you mean 'normal'.*virus"):
        anomaly(*some, *TRAIN, NAMES, healthy=("norml",))
    with pytest.raises(XaibenchError, match="no training image is healthy"):
        anomaly(*some, *TRAIN, NAMES, healthy=("bacteria",))
