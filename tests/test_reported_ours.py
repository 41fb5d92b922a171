"""What the tool reads from the tables that a run leaves."""

import math

import numpy as np
import pandas as pd
import pytest
from reported_runs import confusion_figures, entry_of, find, make_run
from sklearn.metrics import log_loss, precision_recall_fscore_support

from xaibench.report.judging.classifier_rates import figures
from xaibench.results.folder import Layout, Place
from xaibench.stats.rates import wilson

LABELS = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 2])
PREDICTED = np.array([0, 0, 1, 0, 1, 1, 2, 2, 2, 2, 0, 2])


def predictions(predicted=PREDICTED, seed=0, labels=LABELS, classes=3):
    confidences = np.full((len(labels), classes), 0.3 / (classes - 1))
    confidences[np.arange(len(labels)), predicted] = 0.7
    about = {"model": "resnet50", "seed": seed, "group": "", "fold": np.arange(len(labels)) % 2}
    names = [f"s{index}" for index in range(len(labels))]
    columns = {f"confidence_{index}": confidences[:, index] for index in range(classes)}
    return pd.DataFrame(
        {**about, "sample": names, "label": labels, "prediction": predicted, **columns}
    )


def read(folder, table, column, **given):
    table.to_csv(folder / "predictions.csv", index=False)
    return find(folder, entry_of(table="predictions.csv", column=column, **given))


@pytest.mark.parametrize("mean", ["macro", "weighted"])
def test_folds_make_one_set_and_its_figures_are_scikit_learn_s(tmp_path, mean):
    scores = precision_recall_fscore_support(LABELS, PREDICTED, average=mean)
    for name, expected in zip(("precision", "recall", "f1"), scores, strict=False):
        ours = read(tmp_path, predictions(), f"{mean}_{name}")
        assert ours.value == pytest.approx(expected)
        assert ours.images == 12
        assert ours.low < ours.value < ours.high


def test_rates_have_wilson_s_interval_over_what_they_count(tmp_path):
    ours = read(tmp_path, predictions(), "accuracy")
    assert ours == pytest.approx((9 / 12, *wilson(9, 12), 12))
    assert read(tmp_path, predictions(), "weighted_recall") == pytest.approx(ours)
    table = predictions(np.array([0, 1, 1, 1, 1]), labels=np.array([0, 0, 0, 1, 1]), classes=2)
    assert read(tmp_path, table, "precision") == pytest.approx((2 / 4, *wilson(2, 4), 5))
    assert read(tmp_path, table, "specificity") == pytest.approx((1 / 3, *wilson(1, 3), 5))


def test_figures_agree_with_the_report_s(tmp_path):
    confusion = np.array([[7, 2], [1, 11]])
    theirs, ours = figures(confusion, positive=1), confusion_figures(confusion.astype(float))
    shared = theirs.keys() & ours.keys()
    assert len(shared) == 13
    assert {n: float(ours[n][0]) for n in shared} == pytest.approx({n: theirs[n] for n in shared})


def test_of_several_seeds_the_mean_counts_over_as_many_images(tmp_path):
    both = pd.concat([predictions(), predictions(LABELS, seed=1)])
    assert read(tmp_path, both, "accuracy") == pytest.approx((21 / 24, *wilson(10.5, 12), 12))


def test_the_loss_is_the_mean_cross_entropy(tmp_path):
    table = predictions()
    ours = read(tmp_path, table, "loss")
    assert ours.value == pytest.approx(log_loss(LABELS, table.filter(like="confidence_")))
    assert ours.low < ours.value < ours.high


def test_a_model_is_found_however_its_options_are_written(tmp_path):
    table = predictions().assign(model="small_vgg[filters=16+16+32+32]")
    assert read(tmp_path, table, "accuracy", model="small_vgg[filters=16-16-32-32]") is not None
    default = "small_vgg[filters=32-32-64-64]"
    assert read(tmp_path, table.assign(model="small_vgg"), "accuracy", model=default) is not None
    assert read(tmp_path, table, "accuracy", model=default) is None


def test_another_model_or_no_classifier_is_nothing(tmp_path):
    assert read(tmp_path, predictions(), "accuracy", model="resnet18") is None
    assert read(tmp_path, predictions().assign(prediction=math.nan), "accuracy") is None
    assert find(tmp_path, entry_of(table="analyses.csv")) is None


def test_an_analysis_gives_its_quantity_with_its_interval(tmp_path):
    about = {"model": "resnet50", "analysis": ["knn[k=7]", "knn[k=7]", "knn"]}
    numbers = {"value": [0.8, 0.9, 0.7], "low": 0.6, "high": 0.95, "n": 40}
    quantities = {"quantity": ["macro_f1", "accuracy", "accuracy"]}
    pd.DataFrame(about | quantities | numbers).to_csv(tmp_path / "analyses.csv", index=False)
    entry = entry_of(table="analyses.csv", method="knn[k=7]", column="accuracy")
    assert find(tmp_path, entry) == (0.9, 0.6, 0.95, 40)
    assert find(tmp_path, entry._replace(column="loss")) is None
    assert find(tmp_path, entry._replace(method="knn[k=5]")).value == 0.7


def test_validation_accuracy_is_that_of_the_epoch_that_was_kept(tmp_path):
    run = make_run(tmp_path)
    place = Place("busi", "holdout", 0, "vgg19[frozen=true]", 0)
    layout = Layout(run)
    history = layout.model_folder(place) / "history.csv"
    history.parent.mkdir(parents=True)
    epochs = {"validation_loss": [0.5, 0.2, 0.3], "validation_accuracy": [0.6, 0.8, 0.9]}
    pd.DataFrame(epochs).to_csv(history, index=False)
    layout.split_file(place).parent.mkdir()
    parts = ["train"] * 7 + ["validation"] * 5 + ["test"] * 3
    split = pd.DataFrame({"sample": [f"s{i}" for i in range(15)], "part": parts})
    split.to_csv(layout.split_file(place), index=False)
    entry = entry_of(table="history.csv", column="validation_accuracy", model=place.model)
    assert find(run, entry) == pytest.approx((0.8, *wilson(4, 5), 5))
    assert find(run, entry._replace(model="vgg19")) is None
    loss = find(run, entry._replace(column="validation_loss"))
    assert loss.value == 0.2
    assert math.isnan(loss.low)
