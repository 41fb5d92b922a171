"""How well the models classify, and whether two of them are significantly different."""

import json
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xaibench.core.errors import XaibenchError
from xaibench.report.judging.classifier_rates import (
    auroc,
    brier,
    calibration_error,
    cross_entropy,
    figures,
)
from xaibench.report.numbers import p_text
from xaibench.stats.auroc import auroc_interval
from xaibench.stats.clusters import merge_folds
from xaibench.stats.paired import holm, paired_test
from xaibench.stats.power import detectable_difference
from xaibench.stats.rates import mcnemar

KEYS = ["dataset", "split", "fold", "model", "seed"]
_RATES = ["precision", "recall", "specificity", "f1"]
_COLUMNS = [
    *("n", "accuracy", "loss", "positive", *_RATES),
    *(f"{mean}_{rate}" for mean in ("macro", "weighted") for rate in _RATES),
    *("auroc", "auroc_low", "auroc_high", "calibration_error", "brier"),
    *(f"{rate}_{end}" for rate in ("accuracy", *_RATES) for end in ("low", "high")),
]
_TEXTS = ["confusion", "warning"]
_COMPARED = [
    *("dataset", "split", "first", "second", "n", "seeds", "accuracy_first", "accuracy_second"),
    *("only_first", "only_second", "test", "p", "p_holm", "detectable", "verdict"),
]
_BINARY = 2
_LEVEL = 0.05
# Five images more on one side may be five coins that fell alike: p = 2 / 2^5 = 0.06.
_FEWEST_IMAGES = 6


def classification_table(predictions: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """Return one row for each (dataset, split, fold, model, seed).

    The positive class of a binary problem is the last one; with more classes ``positive`` is
    empty, its figures are NaN, and the macro and weighted ones count. ``loss`` is the mean
    cross-entropy in nats. ``confusion`` is JSON, a row for each true
    class and a column for each predicted one. ``warning`` says ``below chance`` where always
    answering the commonest class would be right more often. ``accuracy_low`` and its like are ends
    of Wilson's 95 % intervals, ``auroc_low`` and ``auroc_high`` those of `auroc_interval`.

    Args:
        predictions: a row for each image: the keys, ``label``, ``prediction`` (class indices) and
            ``confidence_0`` to ``confidence_{K-1}``.
        classes: names in the order of the indices.

    Raises:
        XaibenchError: a label or a prediction is not the index of a class.
    """
    rows = [
        dict(zip(KEYS, key, strict=True)) | _row(group, classes)
        for key, group in predictions.groupby(KEYS, dropna=False)
    ]
    return pd.DataFrame(rows, columns=[*KEYS, *_COLUMNS, *_TEXTS])


def add_confusions(rows: pd.DataFrame) -> dict[str, NDArray[np.int64]]:
    """Return each model's confusion matrix ``(K, K)``, summed over the folds and seeds of rows.

    Args:
        rows: of `classification_table`.
    """
    return {
        str(model): np.sum([json.loads(text) for text in own["confusion"]], axis=0)
        for model, own in rows.groupby("model", sort=False)
    }


def compare_models(predictions: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """Return one row for each pair of models of a dataset and split, over what both predicted.

    One training seed and no near-duplicates: McNemar's exact test on the images that only one of
    them gets right. Otherwise those images are neither independent nor alone in making the
    difference, and `paired_test` compares right answers by group and training. ``p_holm`` corrects
    for all pairs of the dataset and split; ``verdict`` goes by it.

    ``n`` counts images, ``only_first`` and ``only_second`` count answers: one for each image and
    seed. ``detectable`` is the difference in accuracy that so many images and trainings would show
    in four of five tests, given how often the models disagree.

    Args:
        predictions: as for `classification_table`, with ``sample`` and, where there is one,
            ``group``; an empty group is the image's own.
        classes: names in the order of the indices.

    Raises:
        XaibenchError: a label or a prediction is not the index of a class.
    """
    _check(predictions, classes)
    right = predictions["label"] == predictions["prediction"]
    answers = predictions.assign(right=right)
    table: list[dict[str, Any]] = []
    for key, given in answers.groupby(["dataset", "split"], dropna=False):
        rows = given.assign(group=_groups(given))
        pairs = combinations(dict.fromkeys(rows["model"]), 2)
        found = [row for pair in pairs if (row := _compare(rows, *pair))]
        for row, p in zip(found, holm([row["p"] for row in found]), strict=True):
            judged = row | {"dataset": key[0], "split": key[1], "p_holm": float(p)}
            table.append(judged | {"verdict": _verdict(judged)})
    return pd.DataFrame(table, columns=_COMPARED)


def _row(group: pd.DataFrame, classes: Sequence[str]) -> dict[str, object]:
    _check(group, classes)
    labels, predicted = group["label"].to_numpy(int), group["prediction"].to_numpy(int)
    confidences = group[[f"confidence_{index}" for index in range(len(classes))]].to_numpy(float)
    confusion = np.zeros((len(classes), len(classes)), np.int64)
    np.add.at(confusion, (labels, predicted), 1)
    positive = len(classes) - 1 if len(classes) == _BINARY else None
    below_chance = np.trace(confusion) < confusion.sum(axis=1).max()
    return {
        "n": len(group),
        "positive": "" if positive is None else classes[positive],
        **figures(confusion, positive),
        "loss": cross_entropy(labels, confidences),
        "auroc": auroc(labels, confidences),
        **_auroc_ends(labels, confidences, positive),
        "calibration_error": calibration_error(labels, confidences),
        "brier": brier(labels, confidences),
        "confusion": json.dumps(confusion.tolist()),
        "warning": "below chance" if below_chance else "",
    }


def _auroc_ends(
    labels: NDArray[np.int_], confidences: NDArray[np.float64], positive: int | None
) -> dict[str, float]:
    """Return the ends of the area's interval; of more than two classes it is a mean of several."""
    low, high = np.nan, np.nan
    if positive is not None:
        low, high = auroc_interval(labels == positive, confidences[:, positive])
    return {"auroc_low": low, "auroc_high": high}


def _check(predictions: pd.DataFrame, classes: Sequence[str]) -> None:
    for what in ("label", "prediction"):
        indices = predictions[what].to_numpy(int)
        wrong = indices[(indices < 0) | (indices >= len(classes))]
        if wrong.size:
            raise XaibenchError(
                f"the predictions hold {what} {wrong[0]}, but there are {len(classes)} classes; "
                "predictions and run.json must come from one run."
            )


def _groups(predictions: pd.DataFrame) -> NDArray[np.str_]:
    """Return a name for each group of a fold; an image without one is its own."""
    names = "image " + predictions["sample"].astype(str)
    if "group" in predictions:
        given = predictions["group"]
        own = given.isna() | (given.astype(str) == "")
        names = names.where(own, "group " + given.astype(str))
    columns = (predictions[name] for name in ("sample", "fold", "seed"))
    folds, _ = merge_folds(*columns)
    return np.array([f"{fold} {name}" for fold, name in zip(folds, names, strict=True)], str)


def _compare(rows: pd.DataFrame, first: str, second: str) -> dict[str, Any] | None:
    sides = [rows[rows["model"] == model] for model in (first, second)]
    both = sides[0].merge(sides[1], on=["fold", "seed", "sample"], suffixes=("", "_second"))
    if both.empty:
        return None
    one, other = both["right"].to_numpy(float), both["right_second"].to_numpy(float)
    folds, seeds_in = merge_folds(*(both[name] for name in ("sample", "fold", "seed")))
    both = both.assign(fold=folds, seed=seeds_in)
    images = both.drop_duplicates(["fold", "sample"])
    units = [both[name] for name in ("group", "fold", "seed")]
    only_first, only_second, p = mcnemar(one == 1, other == 1)
    seeds, test = both["seed"].nunique(), "McNemar"
    if seeds > 1 or images["group"].duplicated().any():
        test = "by group and training"
        p = paired_test(one, other, *units)
    found: dict[str, Any] = {"first": first, "second": second, "n": len(images), "seeds": seeds}
    found |= {"accuracy_first": one.mean(), "accuracy_second": other.mean()}
    found |= {"only_first": only_first, "only_second": only_second, "test": test, "p": p}
    reach = detectable_difference(one - other, *units)
    return found | {"detectable": float(np.fmax(reach, _FEWEST_IMAGES / len(images)))}


def _verdict(row: dict[str, Any]) -> str:
    n, several = row["n"], row["seeds"] > 1
    shares = row["accuracy_first"], row["accuracy_second"]
    if several:
        seen = (
            f"{shares[0]:.1%} against {shares[1]:.1%} of {n} images, mean of {row['seeds']} seeds"
        )
    else:
        seen = f"{round(shares[0] * n)} against {round(shares[1] * n)} of {n}"
    p = row["p_holm"]
    if np.isnan(p):
        return f"{seen}: all images are of one group, nothing can be told"
    said = p_text(p)
    if p <= _LEVEL:
        better = row["first"] if shares[0] > shares[1] else row["second"]
        return f"{seen}: they differ, {better} is right more often ({said})"
    if not row["only_first"] + row["only_second"]:
        return f"{seen}: both are right on the same images"
    reach = row["detectable"]
    few = f"too few images{' and trainings' if several else ''} to tell ({said})"
    if reach > 1:
        return f"{seen}: {few}, however large the difference"
    asked = f"{100 * reach:.1f} points" if several else f"{np.ceil(reach * n - 1e-9):.0f} images"
    return f"{seen}: {few}; it takes a difference of about {asked}"
