import json

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics

from xaibench.core.errors import XaibenchError
from xaibench.report.judging.classification import classification_table, compare_models
from xaibench.report.judging.classifier_rates import auroc, brier, calibration_error, figures
from xaibench.stats.rates import wilson

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
    means = {
        kind: metrics.precision_recall_fscore_support(labels, predicted, average=kind)[:3]
        for kind in ("macro", "weighted")
    }
    assert row["n"] == 200
    assert row["accuracy"] == pytest.approx(metrics.accuracy_score(labels, predicted))
    for kind, expected in means.items():
        found = [row[f"{kind}_{rate}"] for rate in ("precision", "recall", "f1")]
        assert found == pytest.approx(expected)
    assert row["loss"] == pytest.approx(metrics.log_loss(labels, confidences))
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
    assert row["f1"] == row["f1_low"] == 0
    assert np.isnan(row["weighted_precision"])
    assert row["weighted_recall"] == row["accuracy"] == 0.75
    assert row["auroc"] == 0.5
    assert row["warning"] == ""
    alone = classification_table(frame[frame["label"] == 0], ["benign", "malignant"]).iloc[0]
    assert np.isnan(alone["recall"])
    assert alone["weighted_precision"] == 1
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


def test_rates_carry_wilson_s_interval():
    found = figures(SALIENCY_AWARE, positive=0)
    ends = {name: (found[f"{name}_low"], found[f"{name}_high"]) for name in found if
            f"{name}_low" in found}  # fmt: skip
    expected = {"accuracy": (29, 30), "precision": (14, 14), "recall": (14, 15)}
    f1_ends = tuple(2 * end / (1 + end) for end in wilson(14, 15))  # 14 of 14 + 0 + 1 are shared
    assert ends == {name: wilson(*counts) for name, counts in expected.items()} | {
        "specificity": wilson(15, 15), "f1": f1_ends,
    }  # fmt: skip
    assert f1_ends[0] < found["f1"] < f1_ends[1]
    unknown = figures(SALIENCY_AWARE, positive=None)
    assert np.isnan([unknown["recall_low"], unknown["specificity_high"]]).all()
    assert unknown["accuracy_low"] == wilson(29, 30).low
    frame = predictions_of([0, 1, 1], [[0.9, 0.1], [0.1, 0.9], [0.7, 0.3]])
    (row,) = classification_table(frame, ["benign", "malignant"]).to_dict("records")
    assert (row["accuracy_low"], row["accuracy_high"]) == wilson(2, 3)
    assert (row["recall_low"], row["recall_high"]) == wilson(1, 2)


def test_calibration_of_a_worked_case():
    labels = np.array([0, 1, 2, 2, 1])
    confidences = np.array(
        [[0.92, 0.05, 0.03], [0.98, 0.01, 0.01], [0.2, 0.2, 0.6], [0.55, 0.4, 0.05], [0.7, 0.3, 0]]
    )
    # Bins (.9, 1]: 1 of 2 right at .95; (.5, .6]: 1 of 2 at .575; (.6, .7]: 0 of 1 at .7.
    expected = (2 * 0.45 + 2 * 0.075 + 0.7) / 5
    assert calibration_error(labels, confidences) == pytest.approx(expected)
    sure = np.eye(3)[labels]
    assert calibration_error(labels, sure) == brier(labels, sure) == 0
    assert brier(labels, np.roll(sure, 1, axis=1)) == calibration_error(
        labels, np.roll(sure, 1, axis=1)
    )
    assert brier(labels[:1], confidences[:1]) == pytest.approx((0.08**2 + 0.05**2 + 0.03**2) / 2)


def test_brier_of_two_classes_is_scikit_learn_s():
    confidences = np.random.default_rng(0).dirichlet([1, 2], size=40)
    labels = np.random.default_rng(1).integers(0, 2, 40)
    expected = metrics.brier_score_loss(labels, confidences[:, 1])
    assert brier(labels, confidences) == pytest.approx(expected)
    (row,) = classification_table(predictions_of(labels, confidences), "ab").to_dict("records")
    assert row["brier"] == pytest.approx(expected)
    assert row["calibration_error"] == calibration_error(labels, confidences)


def answers(right, **keys):
    """Predictions that are right where told, of alternating labels."""
    labels = np.arange(len(right)) % 2
    predicted = np.where(right, labels, 1 - labels)
    return predictions_of(labels, np.eye(2)[predicted], **keys)


def compared(*parts):
    return compare_models(pd.concat(parts), ["benign", "malignant"]).to_dict("records")


WRONG_3 = np.arange(30) >= 3
WRONG_1 = np.arange(30) >= 1


def test_where_no_difference_could_be_found_none_is_asked_for():
    wrong = np.array([True, False, False, True, True, False])
    (row,) = compared(answers(wrong, model="a"), answers(~wrong, model="b"))
    assert row["detectable"] > 1
    assert row["verdict"] == (
        "3 against 3 of 6: too few images to tell (p = 1), however large the difference"
    )


def test_29_against_27_of_30_is_no_evidence():
    (row,) = compared(answers(WRONG_1, model="spn"), answers(WRONG_3, model="vanilla"))
    assert (row["first"], row["second"], row["n"]) == ("spn", "vanilla", 30)
    assert (row["accuracy_first"], row["accuracy_second"]) == (29 / 30, 27 / 30)
    assert (row["only_first"], row["only_second"], row["p"]) == (2, 0, 0.5)
    assert row["detectable"] == 6 / 30
    assert row["verdict"] == (
        "29 against 27 of 30: too few images to tell (p = 0.5); "
        "it takes a difference of about 6 images"
    )


def test_a_clear_difference_is_said_to_be_one():
    ten = np.arange(30) >= 10
    (row,) = compared(answers(ten, model="a"), answers(WRONG_1, model="b"))
    assert row["p"] == pytest.approx(2 / 2**9)
    # Nine of 30 differ by one; 2.045 and 0.854 are Student's quantiles of 29 degrees.
    assert row["detectable"] == pytest.approx((2.045 + 0.854) * np.sqrt(0.3 * 0.7 / 29), rel=0.05)
    assert row["verdict"] == "20 against 29 of 30: they differ, b is right more often (p = 0.0039)"
    (row,) = compared(answers(WRONG_3, model="a"), answers(WRONG_3, model="b"))
    assert row["verdict"] == "27 against 27 of 30: both are right on the same images"


def test_folds_count_together_and_holm_corrects_all_pairs():
    parts = [
        answers(right[fold * 15 :][:15], model=model, fold=fold).assign(
            sample=[f"fold {fold}: {number}" for number in range(15)]
        )
        for model, right in (("a", np.arange(30) >= 9), ("b", WRONG_1), ("c", WRONG_3))
        for fold in (0, 1)
    ]
    table = compared(*parts)
    assert [(row["first"], row["second"]) for row in table] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert [row["n"] for row in table] == [30] * 3
    assert [row["p"] for row in table] == [2 / 2**8, 2 / 2**6, 0.5]
    assert [row["p_holm"] for row in table] == [6 / 2**8, 4 / 2**6, 0.5]
    assert [row["verdict"].split(" (")[0][-4:] for row in table] == ["ften", "tell", "tell"]


def test_folds_that_test_the_same_images_add_no_images():
    parts = [
        answers(right, model=model, fold=fold)
        for model, right in (("a", np.arange(30) >= 9), ("b", WRONG_1))
        for fold in (0, 1)
    ]
    (row,) = compared(*parts)
    assert (row["n"], row["seeds"]) == (30, 2)
    assert "by group and training" in str(row)
    (alone,) = compared(parts[0], parts[2])
    assert row["p"] > alone["p"] ** 2


def test_only_what_both_predicted_is_compared():
    short = answers(WRONG_3, model="b").iloc[2:]
    (row,) = compared(answers(WRONG_1, model="a"), short)
    assert (row["n"], row["only_first"], row["accuracy_first"]) == (28, 1, 1.0)
    other = answers(WRONG_3, model="b", fold=1)
    assert not compared(answers(WRONG_1, model="a"), other)
    assert not compared(answers(WRONG_1), answers(WRONG_1, dataset="phantom"))
    empty = compare_models(other.iloc[:0], ["benign", "malignant"])
    assert {"first", "verdict"} <= {*empty.columns}


def test_near_duplicates_are_one_piece_of_evidence():
    ten = np.arange(30) >= 10
    parts = [answers(ten, model="a"), answers(np.full(30, True), model="b")]
    groups = ["pair"] * 10 + [""] * 20
    (row,) = compared(*(part.assign(group=groups) for part in parts))
    assert row["test"] == "by group and training"
    assert row["p"] == 1.0
    blank = [float("nan")] * 30
    for names in (blank, [""] * 30, [f"p{i}" for i in range(30)]):
        (row,) = compared(*(part.assign(group=names) for part in parts))
        assert (row["test"], row["p"]) == ("McNemar", 2 / 2**10)
    (row,) = compared(*(part.assign(group="one") for part in parts))
    assert row["verdict"] == "20 against 30 of 30: all images are of one group, nothing can be told"


def test_seeds_are_part_of_the_evidence():
    def models(rights):
        return [
            answers(np.arange(30) >= wrong, model=model, seed=seed)
            for model, wrongs in rights.items()
            for seed, wrong in enumerate(wrongs)
        ]

    (row,) = compared(*models({"a": (0, 1, 0), "b": (12, 11, 12)}))
    assert (row["n"], row["seeds"], row["only_first"]) == (30, 3, 34)
    assert row["verdict"] == (
        "98.9% against 61.1% of 30 images, mean of 3 seeds: "
        f"they differ, a is right more often (p = {row['p']:.2g})"
    )
    # As many answers apart, but one seed's network failed: no evidence about the recipe.
    (row,) = compared(*models({"a": (0, 0, 0), "b": (30, 2, 2)}))
    assert row["only_first"] == 34
    assert row["p"] > 0.2
    assert "mean of 3 seeds: too few images and trainings to tell (p = " in row["verdict"]
    assert row["verdict"].endswith(", however large the difference")


@pytest.mark.parametrize("wrong", [-1, 2])
def test_indices_without_a_class_can_not_be_compared(wrong):
    with pytest.raises(XaibenchError, match=f"label {wrong}"):
        compared(answers(WRONG_1).assign(label=wrong))
