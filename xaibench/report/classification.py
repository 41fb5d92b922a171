"""How well the models classify: one row for each trained model and test fold."""

import json
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

from xaibench.core.errors import XaibenchError

KEYS = ["dataset", "split", "fold", "model", "seed"]
_RATES = ["precision", "recall", "specificity", "f1"]
_COLUMNS = ["n", "accuracy", "positive", *_RATES, *(f"macro_{rate}" for rate in _RATES), "auroc"]
_TEXTS = ["confusion", "warning"]
_BINARY = 2


def classification_table(predictions: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """Return one row for each (dataset, split, fold, model, seed).

    The positive class of a binary problem is the last one; with more classes ``positive`` is
    empty, its figures are NaN, and the macro ones count. ``confusion`` is JSON, a row for each true
    class and a column for each predicted one. ``warning`` says ``below chance`` where always
    answering the commonest class would be right more often.

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


def figures(confusion: NDArray[np.integer], positive: int | None) -> dict[str, float]:
    """Compute accuracy, and precision, recall, specificity and F1 of one class and macro.

    Macro is the plain mean over classes, so it is NaN where one class's figure is: a class that
    is never predicted has no precision, one without images no recall.

    Args:
        confusion: ``(K, K)`` counts, rows are true classes and columns predicted ones.
        positive: index of the positive class; None leaves its figures NaN.

    >>> found = figures(np.array([[13, 2], [1, 14]]), positive=0)
    >>> [round(found[name], 4) for name in ("accuracy", "precision", "recall", "macro_f1")]
    [0.9, 0.9286, 0.8667, 0.8999]
    """
    total, hits = confusion.sum(), np.diag(confusion)
    actual, predicted = confusion.sum(axis=1), confusion.sum(axis=0)
    rates = {
        "precision": _ratio(hits, predicted),
        "recall": _ratio(hits, actual),
        "specificity": _ratio(total - actual - predicted + hits, total - actual),
        # From counts and not from precision: never predicting a class that exists is F1 = 0.
        "f1": _ratio(2 * hits, actual + predicted),
    }
    found = {"accuracy": float(_ratio(hits.sum(), total))}
    for name, rate in rates.items():
        found[name] = float("nan") if positive is None else float(rate[positive])
        found[f"macro_{name}"] = float(rate.mean())
    return found


def auroc(labels: NDArray[np.integer], confidences: NDArray[np.floating]) -> float:
    """Return the area under the ROC curve; ties count half.

    Two classes: of the last one. More: the mean over classes, each against the rest. NaN where a
    class has no image or holds them all.

    Args:
        labels: ``(N,)`` class indices.
        confidences: ``(N, K)``.
    """
    count = confidences.shape[1]
    chosen = [count - 1] if count == _BINARY else range(count)
    return float(np.mean([_auroc(labels == index, confidences[:, index]) for index in chosen]))


def _row(group: pd.DataFrame, classes: Sequence[str]) -> dict[str, object]:
    labels, predicted = group["label"].to_numpy(int), group["prediction"].to_numpy(int)
    confidences = group[[f"confidence_{index}" for index in range(len(classes))]].to_numpy(float)
    confusion = _confusion(labels, predicted, len(classes))
    positive = len(classes) - 1 if len(classes) == _BINARY else None
    below_chance = np.trace(confusion) < confusion.sum(axis=1).max()
    return {
        "n": len(group),
        "positive": "" if positive is None else classes[positive],
        **figures(confusion, positive),
        "auroc": auroc(labels, confidences),
        "confusion": json.dumps(confusion.tolist()),
        "warning": "below chance" if below_chance else "",
    }


def _confusion(
    labels: NDArray[np.integer], predicted: NDArray[np.integer], count: int
) -> NDArray[np.int64]:
    for what, indices in (("label", labels), ("prediction", predicted)):
        wrong = indices[(indices < 0) | (indices >= count)]
        if wrong.size:
            raise XaibenchError(
                f"the predictions hold {what} {wrong[0]}, but there are {count} classes; "
                "predictions and run.json must come from one run."
            )
    confusion = np.zeros((count, count), np.int64)
    np.add.at(confusion, (labels, predicted), 1)
    return confusion


def _auroc(positive: NDArray[np.bool_], confidence: NDArray[np.floating]) -> float:
    """Mann-Whitney's U over its largest possible value."""
    ones, zeros = int(positive.sum()), int((~positive).sum())
    if not ones or not zeros:
        return float("nan")
    ranks = float(rankdata(confidence)[positive].sum())
    return (ranks - ones * (ones + 1) / 2) / (ones * zeros)


def _ratio(part: NDArray[np.integer], whole: NDArray[np.integer]) -> NDArray[np.float64]:
    known = np.where(whole > 0, whole, 1)
    return np.where(whole > 0, part / known, np.nan)
