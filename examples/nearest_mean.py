"""Nearest mean: how far apart the classes lie in the embeddings."""

import numpy as np
from numpy.typing import NDArray

import xaibench


@xaibench.analysis(
    quantities={
        "accuracy": "share of the test images that lie nearest to the mean of their own class",
        "margin": "mean of (distance to the nearest other mean - distance to the own one) over "
        "their sum: 1 on the own mean, -1 on another",
    },
    bounds=(-1.0, 1.0),
)
def nearest_mean(
    embeddings: NDArray[np.float32],
    labels: NDArray[np.int64],
    train_embeddings: NDArray[np.float32],
    train_labels: NDArray[np.int64],
    class_names: tuple[str, ...],
) -> xaibench.Findings:
    """Measure each test image's distance from the mean training embedding of every class."""
    for label, name in enumerate(class_names):
        if not (train_labels == label).any():
            raise xaibench.XaibenchError(f"nearest_mean: no training image is {name}.")
    means = np.stack([train_embeddings[train_labels == k].mean(axis=0)
                      for k in range(len(class_names))])  # fmt: skip
    distances = np.linalg.norm(embeddings[:, None] - means, axis=2)
    rows = np.arange(len(labels))
    own = distances[rows, labels]
    distances[rows, labels] = np.inf
    other = distances.min(axis=1)
    return xaibench.Findings(
        quantities={
            "accuracy": (own < other).astype(float),
            "margin": (other - own) / (other + own),
        },
        images={"own_distance": own, "other_distance": other},
        figures=[
            xaibench.Scatter("means", "Distance from the own mean and from the nearest other",
                             ("own_distance", "other_distance")),
        ],
    )  # fmt: skip
