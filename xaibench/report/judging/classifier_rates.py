"""Figures of a classifier, from counts and confidences: plain arrays in, numbers out."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xaibench.core import estimates
from xaibench.stats.rates import wilson

_BINARY = 2
_BINS = 10


def figures(confusion: NDArray[Any], positive: int | None) -> dict[str, float]:
    """Compute accuracy, and precision, recall, specificity and F1 of one class, macro and weighted.

    ``_low`` and ``_high`` are the ends of Wilson's 95 % interval, which takes images for
    independent. F1 = 2 J / (1 + J), where J is the share of true positives among all that are
    positive or predicted so; its ends are those of J. Macro is the plain mean over classes,
    weighted the mean by each class's share of the images. Either is NaN where the figure of a
    class in it is: a class that is never predicted has no precision, one without images no recall.

    Args:
        confusion: ``(K, K)`` counts, rows are true classes and columns predicted ones.
        positive: index of the positive class; None leaves its figures NaN.

    >>> found = figures(np.array([[13, 2], [1, 14]]), positive=0)
    >>> [round(found[name], 4) for name in ("accuracy", "precision", "recall", "macro_f1")]
    [0.9, 0.9286, 0.8667, 0.8999]
    >>> [round(found[name], 3) for name in ("accuracy_low", "accuracy_high")]
    [0.744, 0.965]
    """
    found = _with_ends("accuracy", np.trace(confusion), confusion.sum())
    for name, (part, whole) in counts_by_class(confusion).items():
        if positive is None:
            found |= dict.fromkeys((name, f"{name}_low", f"{name}_high"), float("nan"))
        elif name == "f1":
            found |= _f1_with_ends(part[positive], whole[positive])
        else:
            found |= _with_ends(name, part[positive], whole[positive])
        ratios, actual = _ratio(part, whole), confusion.sum(axis=1)
        found[f"macro_{name}"] = float(ratios.mean())
        there = actual > 0
        found[f"weighted_{name}"] = float(ratios[there] @ actual[there] / actual.sum())
    return found


def counts_by_class(confusion: NDArray[Any]) -> dict[str, tuple[NDArray[Any], NDArray[Any]]]:
    """Return of each figure what it counts and among how many, ``(..., K)`` each.

    Args:
        confusion: ``(..., K, K)`` counts, rows are true classes and columns predicted ones.
    """
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    actual, predicted = confusion.sum(axis=-1), confusion.sum(axis=-2)
    total = actual.sum(axis=-1, keepdims=True)
    return {
        "precision": (hits, predicted),
        "recall": (hits, actual),
        "specificity": (total - actual - predicted + hits, total - actual),
        # From counts and not from precision: never predicting a class that exists is F1 = 0.
        "f1": (2 * hits, actual + predicted),
    }


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
    return float(np.mean([estimates.auroc(labels == k, confidences[:, k]) for k in chosen]))


def losses(labels: NDArray[np.integer], confidences: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return -log(confidence in the true class) of each image, ``(N,)``, in nats.

    A confidence of 0 counts as the smallest normal float32, 1.2e-38, so that the loss stays finite.

    Args:
        labels: ``(N,)`` class indices.
        confidences: ``(N, K)``.
    """
    true = confidences[np.arange(len(labels)), labels]
    found: NDArray[np.floating] = -np.log(np.maximum(true, np.finfo(np.float32).tiny))
    return found


def cross_entropy(labels: NDArray[np.integer], confidences: NDArray[np.floating]) -> float:
    """Return the test loss: the mean of the images' `losses`."""
    return float(losses(labels, confidences).mean())


def calibration_error(labels: NDArray[np.integer], confidences: NDArray[np.floating]) -> float:
    """Return the expected calibration error, 0 to 1: |accuracy - confidence| (guo2017calibration).

    The confidence in the predicted class falls into ten equal bins, each closed above, and the
    bins' gaps are averaged by their share of the images. Small samples raise it: even a calibrated
    model of 30 images has about 0.1.

    Args:
        labels: ``(N,)`` class indices.
        confidences: ``(N, K)``; the largest is the prediction's.
    """
    top = confidences.max(axis=1)
    gap = (confidences.argmax(axis=1) == labels) - top
    bins = np.ceil(top * _BINS).clip(1).astype(int)
    return float(np.abs(np.bincount(bins, gap)).sum() / len(labels))


def brier(labels: NDArray[np.integer], confidences: NDArray[np.floating]) -> float:
    """Return the Brier score, 0 to 1, lower is better (brier1950verification).

    Half the sum over classes of (confidence - truth)^2, averaged over images: of two classes, the
    squared error of the positive one's confidence.

    Args:
        labels: ``(N,)`` class indices.
        confidences: ``(N, K)``.
    """
    truth = np.eye(confidences.shape[1])[labels]
    return float(((confidences - truth) ** 2).sum(axis=1).mean() / 2)


def _with_ends(name: str, part: float, whole: float) -> dict[str, float]:
    low, high = wilson(part, whole)
    rate = part / whole if whole else float("nan")
    return {name: float(rate), f"{name}_low": low, f"{name}_high": high}


def _f1_with_ends(part: int, whole: int) -> dict[str, float]:
    shared = _with_ends("f1", part / 2, whole - part / 2)
    return {name: 2 * share / (1 + share) for name, share in shared.items()}


def _ratio(part: NDArray[np.integer], whole: NDArray[np.integer]) -> NDArray[np.float64]:
    known = np.where(whole > 0, whole, 1)
    return np.where(whole > 0, part / known, np.nan)
