"""How well models find each class in images that may show several."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xaibench.core import estimates
from xaibench.report.judging.classifier_rates import figures
from xaibench.results.records import RunRecord
from xaibench.stats.auroc import auroc_interval
from xaibench.stats.rates import wilson

MACRO = "macro"
"""What the line of the means over all classes is called."""
_KEYS = ["dataset", "split", "fold", "model", "seed"]
_RATES = ("precision", "recall", "specificity", "f1")
_AREAS = ("auroc", "auprc")
_COLUMNS = [
    *_KEYS, "class", "n", "positives", "threshold", *_AREAS,
    *(f"{area}{end}" for area in _AREAS for end in ("_low", "_high")),
    *(f"{rate}{end}" for rate in _RATES for end in ("", "_low", "_high")),
]  # fmt: skip


def per_class_table(images: pd.DataFrame | None, run: RunRecord) -> pd.DataFrame:
    """Return one row for each trained model and class, and one of the `MACRO` means.

    ``n`` counts the images of which it is known whether they show the class. ``auprc`` is the
    average precision, the sum of precision times gain of recall. The rates are those at the
    threshold. Ends of intervals are Wilson's and those of `auroc_interval`. Those of average
    precision are Wilson's of such a share of the positives, a score form of the binomial interval
    of boyd2013area; in normal scores of 60 to 300 images they covered 95 to 99 %.

    Args:
        images: predictions, a row for each image with columns for each class.
        run: ``run.json``.
    """
    if images is None or not run.several_labels:
        return pd.DataFrame(columns=_COLUMNS)
    rows: list[dict[str, Any]] = []
    for key, mine in images.groupby(_KEYS, dropna=False):
        if mine["prediction_0"].isna().all():  # it doesn't classify
            continue
        found = [_row(mine, index, name) for index, name in enumerate(run.classes)]
        means = pd.DataFrame(found)[[*_AREAS, *_RATES]].mean()
        place: dict[str, Any] = dict(zip(_KEYS, key, strict=True))
        macro = {str(name): float(value) for name, value in means.items()}
        found.append({"class": MACRO, "n": len(mine), **macro})
        rows += [place | row for row in found]
    return pd.DataFrame(rows, columns=_COLUMNS)


def _row(images: pd.DataFrame, index: int, name: str) -> dict[str, Any]:
    columns = (f"{what}_{index}" for what in ("label", "prediction", "confidence", "threshold"))
    labels, said, sure, threshold = (pd.to_numeric(images[c]).to_numpy(float) for c in columns)
    known = labels >= 0
    truth, found, confidences = labels[known] == 1, said[known] == 1, sure[known]
    confusion = np.zeros((2, 2), np.int64)
    np.add.at(confusion, (truth.astype(int), found.astype(int)), 1)
    rates = figures(confusion, 1) if len(truth) else {}
    low, high = auroc_interval(truth, confidences)
    positives, precision = int(truth.sum()), average_precision(truth, confidences)
    # Without a positive there is no precision, and wilson knows no rate of none.
    ends = wilson(np.nan_to_num(precision) * positives, positives)
    return {
        "class": name,
        "n": len(truth),
        "positives": positives,
        "threshold": float(threshold[0]),
        "auroc": float(np.mean(estimates.auroc(truth, confidences))) if len(truth) else np.nan,
        "auprc": precision,
        "auroc_low": low,
        "auroc_high": high,
        "auprc_low": ends.low,
        "auprc_high": ends.high,
        **{key: value for key, value in rates.items() if key in _COLUMNS},
    }


def average_precision(truth: NDArray[np.bool_], confidences: NDArray[np.float64]) -> float:
    """Return the sum of precision times gain of recall, NaN without a positive.

    Images of one confidence are found together.

    >>> truth = np.array([True, False, True, False])
    >>> round(average_precision(truth, np.array([0.9, 0.8, 0.8, 0.1])), 4)  # 1/2 + 1/2 * 2/3
    0.8333
    """
    if not truth.any():
        return float("nan")
    order = np.argsort(-confidences, kind="stable")
    values, hits = confidences[order], np.cumsum(truth[order])
    last = np.append(values[1:] != values[:-1], [True])  # of those that tie
    found, counts = hits[last], np.flatnonzero(last) + 1
    gains = np.diff(found, prepend=0) / truth.sum()
    return float(gains @ (found / counts))
