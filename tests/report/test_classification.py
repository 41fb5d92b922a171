import json

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics

from xaibench.core.errors import XaibenchError
from xaibench.report.classification import auroc, classification_table, figures

BASELINE = np.array([[13, 2], [1, 14]])
SALIENCY_AWARE = np.array([[14, 1], [0, 15]])


def predictions_of(labels, confidences, **keys):
    confidences = np.asarray(confidences, float)
    frame = pd.DataFrame(
        {"dataset": "busi", "split": "holdout", "fold": 0, "model": "resnet18", "seed": 0}
        | keys
        | {"sample": [f"s{index}" for index in range(len(labels))], "label": labels}
    )
    frame["prediction"] = confidences.argmax(axis=1)
    for index, column in enumerate(confidences.T):
        frame[f"confidence_{index}"] = column
    return frame


@pytest.mark.parametrize(
    ("confusion", "expected"),
    [
        (BASELINE, [0.9000, 0.9286, 0.8667, 0.9333, 0.8966, 0.8999]),
        (SALIENCY_AWARE, [0.9667, 1.0, 0.9333, 1.0, 0.9655, 0.9666]),
    ],
)
@pytest.mark.parametrize("positive", [0, 1])
def test_figures_reproduce_the_published_matrices_in_either_order(confusion, expected, positive):
    ordered = confusion if positive == 0 else confusion[::-1, ::-1]
    found = figures(ordered, positive)
    names = ["accuracy", "precision", "recall", "specificity", "f1", "macro_f1"]
    assert [found[name] for name in names] == pytest.approx(expected, abs=5e-5)


@pytest.mark.parametrize("classes", [2, 4])
def test_table_agrees_with_scikit_learn(classes):
    generator = np.random.default_rng(classes)
    labels = generator.integers(0, classes, 200)
    raw = np.round(generator.random((200, classes)) + np.eye(classes)[labels] * 0.3, 1) + 0.1
    confidences = raw / raw.sum(axis=1, keepdims=True)
    names = [f"class {index}" for index in range(classes)]
    frame = predictions_of(labels, confidences)
    (row,) = classification_table(frame, names).to_dict("records")
    predicted = frame["prediction"]
    macro = metrics.precision_recall_fscore_support(labels, predicted, average="macro")
    assert row["n"] == 200
    assert row["accuracy"] == pytest.approx(metrics.accuracy_score(labels, predicted))
    assert [row["macro_precision"], row["macro_recall"], row["macro_f1"]] == pytest.approx(
        macro[:3]
    )
    assert json.loads(row["confusion"]) == metrics.confusion_matrix(labels, predicted).tolist()
    if classes == 2:
        binary = metrics.precision_recall_fscore_support(labels, predicted, average="binary")
        assert row["positive"] == "class 1"
        assert [row["precision"], row["recall"], row["f1"]] == pytest.approx(binary[:3])
        assert row["specificity"] == pytest.approx(
            metrics.recall_score(labels, predicted, pos_label=0)
        )
        area = metrics.roc_auc_score(labels, confidences[:, 1])
    else:
        assert row["positive"] == ""
        assert np.isnan(row["precision"])
        area = metrics.roc_auc_score(labels, confidences, multi_class="ovr")
    assert row["auroc"] == pytest.approx(area)


def test_what_is_undefined_is_nan_and_not_zero():
    frame = predictions_of([0, 0, 0, 1], [[0.9, 0.1]] * 4)
    (row,) = classification_table(frame, ["benign", "malignant"]).to_dict("records")
    assert np.isnan(row["precision"])
    assert np.isnan(row["macro_precision"])
    assert row["recall"] == 0
    assert row["f1"] == 0
    assert row["auroc"] == 0.5
    assert row["warning"] == ""
    alone = classification_table(frame[frame["label"] == 0], ["benign", "malignant"]).iloc[0]
    assert np.isnan(alone["recall"])
    assert np.isnan(alone["auroc"])
    assert alone["specificity"] == 1


def test_auroc_counts_ties_half_and_is_that_of_the_last_class():
    confidences = np.array([[0.9, 0.1], [0.5, 0.5], [0.5, 0.5], [0.2, 0.8]])
    assert auroc(np.array([0, 0, 1, 1]), confidences) == pytest.approx(3.5 / 4)
    assert auroc(np.array([1, 1, 0, 0]), confidences) == pytest.approx(0.5 / 4)


def test_below_chance_is_flagged_and_never_flipped():
    worse = predictions_of([0, 0, 0, 1], [[0.1, 0.9], [0.1, 0.9], [0.9, 0.1], [0.9, 0.1]])
    (row,) = classification_table(worse, ["benign", "malignant"]).to_dict("records")
    assert row["accuracy"] == 0.25
    assert row["warning"] == "below chance"
    assert json.loads(row["confusion"]) == [[1, 2], [1, 0]]


def test_one_row_for_each_model_fold_and_seed():
    parts = [
        predictions_of([0, 1], [[0.9, 0.1], [0.1, 0.9]], seed=seed, fold=fold)
        for seed in (0, 1)
        for fold in (0, 1)
    ]
    table = classification_table(pd.concat(parts), ["benign", "malignant"])
    assert list(zip(table["fold"], table["seed"], strict=True)) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert classification_table(parts[0].iloc[:0], ["benign", "malignant"]).empty


@pytest.mark.parametrize("wrong", [-1, 2])
def test_indices_without_a_class_are_refused(wrong):
    frame = predictions_of([0, 1], [[0.9, 0.1], [0.1, 0.9]])
    frame["prediction"] = [0, wrong]
    with pytest.raises(XaibenchError, match=f"prediction {wrong}"):
        classification_table(frame, ["benign", "malignant"])
