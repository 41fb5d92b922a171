"""Anomaly: what is reconstructed badly counts as sick."""

from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import roc_curve

from xaibench.core.errors import XaibenchError
from xaibench.core.estimates import auroc
from xaibench.core.findings import Findings, Histogram, Lines
from xaibench.core.registry import analysis
from xaibench.core.suggest import did_you_mean


@analysis(
    quantities={
        "threshold": "mean or quantile of the healthy training images' errors; above it an image "
        "counts as sick",
        "accuracy": "share of the test images on the right side of the threshold",
        "sensitivity": "share of the sick test images above the threshold",
        "specificity": "share of the healthy test images not above the threshold",
        "auroc": "chance that a sick image has a larger error than a healthy one; below 0.5 the "
        "healthy are reconstructed worse, and it stays below",
    }
)
def anomaly(
    errors: NDArray[np.float64],
    labels: NDArray[np.int64],
    train_errors: NDArray[np.float64],
    train_labels: NDArray[np.int64],
    class_names: tuple[str, ...],
    *,
    healthy: tuple[str, ...] = ("normal",),
    threshold: Literal["mean", "quantile"] = "mean",
    quantile: float = 0.95,
) -> Findings:
    """Judge test images by their reconstruction error; nothing is fitted to sick images.

    Args:
        errors: ``(N,)`` mean squared errors.
        labels: ``(N,)``.
        train_errors: ``(M,)``.
        train_labels: ``(M,)``.
        class_names: K of them.
        healthy: classes joined by ``+``; the others are sick.
        threshold: what of the healthy training images' errors an image must exceed to be sick.
        quantile: which, in (0, 1).

    Raises:
        XaibenchError: no such class or quantile, or no healthy image to set the threshold by.
    """
    if not 0 < quantile < 1:
        raise XaibenchError(f"anomaly[quantile={quantile:g}]: choose a share in (0, 1).")
    for name in healthy:
        if name not in class_names:
            raise XaibenchError(
                f"anomaly[healthy={'+'.join(healthy)}]: there is no class '{name}'"
                f"{did_you_mean(name, class_names)}; choose among {', '.join(class_names)}."
            )
    sound = [class_names.index(name) for name in healthy]
    known = np.isin(train_labels, sound)
    if not known.any():
        raise XaibenchError("anomaly: no training image is healthy, so there is no threshold.")
    sick, sound_errors = ~np.isin(labels, sound), train_errors[known]
    if threshold == "mean":
        limit, called = sound_errors.mean(), "mean of healthy training images"
    else:
        limit = np.quantile(sound_errors, quantile)
        called = f"{quantile:.0%} of healthy training images lie below"
    right = ((errors > limit) == sick).astype(float)
    return Findings(
        quantities={
            "threshold": float(limit),
            "accuracy": right,
            "sensitivity": np.where(sick, right, np.nan),
            "specificity": np.where(sick, np.nan, right),
            "auroc": auroc(sick, errors),
        },
        images={"error": errors, "state": np.where(sick, "sick", "healthy")},
        tables={"roc": _roc(sick, errors)},
        figures=[
            Histogram(
                "errors",
                "Reconstruction errors of test images",
                "error",
                "state",
                float(limit),
                f"threshold: {called}",
            ),
            Lines(
                "roc",
                "Sick or healthy, by reconstruction error",
                "roc",
                "false_alarms",
                ("sensitivity",),
                "sensitivity",
                chance=True,
            ),
        ],
    )


def _roc(sick: NDArray[np.bool_], errors: NDArray[np.float64]) -> pd.DataFrame:
    """Return the curve; of one kind of images alone only its ends."""
    ends = np.array([0.0, 1.0])
    both = sick.any() and not sick.all()
    false, true, _ = roc_curve(sick, errors) if both else (ends, ends, None)
    return pd.DataFrame({"false_alarms": false, "sensitivity": true})
