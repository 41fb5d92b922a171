"""k nearest neighbors of the embeddings name the class, beside the model's own head."""

from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from xaibench.core.errors import XaibenchError
from xaibench.core.estimates import ratio
from xaibench.core.findings import Findings, Lines
from xaibench.core.registry import analysis

_SWEEP = (1, 3, 5, 7, 9, 15, 25, 49)


@analysis(
    paper="cover1967nearest",
    quantities={
        "accuracy": "share of the test images that their neighbors in the training part name "
        "rightly",
        "macro_f1": "mean over classes of the neighbors' F1",
        "head_accuracy": "share of the test images that the model's own head names rightly",
    },
)
def knn(
    embeddings: NDArray[np.float32],
    labels: NDArray[np.int64],
    train_embeddings: NDArray[np.float32],
    train_labels: NDArray[np.int64],
    predictions: NDArray[np.int64] | None,
    class_names: tuple[str, ...],
    *,
    k: int = 5,
    metric: Literal["euclidean", "cosine"] = "euclidean",
) -> Findings:
    """Let the k nearest training embeddings vote; of classes that tie the first in order wins.

    Args:
        embeddings: ``(N, D)``.
        labels: ``(N,)``.
        train_embeddings: ``(M, D)``, as they are: neither centered nor scaled.
        train_labels: ``(M,)``.
        predictions: ``(N,)`` of the head, or None.
        class_names: K of them.
        k: neighbors.
        metric: distance between embeddings.

    Raises:
        XaibenchError: fewer training images than neighbors.
    """
    if not 1 <= k <= len(train_embeddings):
        raise XaibenchError(f"knn[k={k}]: choose 1 to {len(train_embeddings)}: training images.")
    tried = sorted({k, *(each for each in _SWEEP if each <= len(train_embeddings))})
    search = NearestNeighbors(n_neighbors=tried[-1], metric=metric).fit(train_embeddings)
    nearest = train_labels[search.kneighbors(embeddings, return_distance=False)]
    voted = {each: _vote(nearest[:, :each], len(class_names)) for each in tried}
    right = (voted[k] == labels).astype(float)
    found, images = {"accuracy": right, "macro_f1": _macro_f1(labels, voted[k])}, {"knn": voted[k]}
    sweep = pd.DataFrame({"k": tried, "accuracy": [(voted[n] == labels).mean() for n in tried]})
    if predictions is not None:
        found["head_accuracy"] = (predictions == labels).astype(float)
        images["head"] = predictions
        sweep["head_accuracy"] = found["head_accuracy"].mean()
    lines = tuple(name for name in ("accuracy", "head_accuracy") if name in sweep)
    return Findings(
        found,
        images,
        {"sweep": sweep},
        [
            Lines(
                "neighbors",
                "Nearest neighbors of the embeddings",
                "sweep",
                "k",
                lines,
                "accuracy on test images",
            )
        ],
        pairs=[("accuracy", "head_accuracy")] if predictions is not None else [],
    )


def _vote(nearest: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    counts = np.stack([(nearest == label).sum(axis=1) for label in range(classes)], axis=1)
    return np.asarray(counts.argmax(axis=1))


def _macro_f1(labels: NDArray[np.int64], predicted: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return ``(N,)`` whose mean is the mean of 2 TP / (actual + predicted) over known classes."""
    parts = []
    for label in np.union1d(labels, predicted):
        actual, voted = labels == label, predicted == label
        parts.append(ratio(2 * (actual & voted), actual.astype(int) + voted))
    return np.asarray(np.mean(parts, axis=0))
