"""PCA: embeddings in two and three dimensions, the variance kept, and k-means clusters."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score

from xaibench.core.errors import XaibenchError
from xaibench.core.findings import Findings, Lines, Scatter
from xaibench.core.registry import analysis

_PLANE, _SPACE, _SHOWN = 2, 3, 50


@analysis(
    paper="pearson1901lines",
    quantities={
        "explained_variance": "share of the training embeddings' variance in the components",
        "purity": "share of the test images whose class is the commonest of their cluster; with a "
        "number in brackets, of clusters in so many components",
        "commonest_class": "share of the commonest class: the purity that no clustering undercuts",
        "adjusted_rand": "agreement of clusters and classes: 1 the same, 0 as by chance",
    },
)
def pca(
    embeddings: NDArray[np.float32],
    labels: NDArray[np.int64],
    train_embeddings: NDArray[np.float32],
    class_names: tuple[str, ...],
    seed: int,
    *,
    components: int = 3,
    clusters: int | None = None,
) -> Findings:
    """Fit components and k-means to the training embeddings, and apply both to the test images.

    Args:
        embeddings: ``(N, D)``.
        labels: ``(N,)``.
        train_embeddings: ``(M, D)``.
        class_names: K of them.
        seed: of the randomized SVD and of k-means.
        components: in which k-means clusters.
        clusters: ``none`` makes one for each class.

    Raises:
        XaibenchError: too few components for a picture, or clusters without images.
    """
    most, wanted = min(train_embeddings.shape), len(class_names) if clusters is None else clusters
    if not _PLANE <= components <= most:
        raise XaibenchError(
            f"pca[components={components}]: {len(train_embeddings)} training embeddings of "
            f"{train_embeddings.shape[1]} dimensions have {_PLANE} to {most}; choose as many."
        )
    if not 1 <= wanted <= len(train_embeddings):
        raise XaibenchError(
            f"pca[clusters={wanted}]: choose 1 to {len(train_embeddings)}, the training images."
        )
    fitted = PCA(max(components, min(_SHOWN, most)), random_state=seed).fit(train_embeddings)
    train, test = (fitted.transform(e)[:, :components] for e in (train_embeddings, embeddings))
    sizes = {components, *(size for size in (_PLANE, _SPACE) if size <= components)}
    clusters_in = {size: _cluster(train[:, :size], test[:, :size], wanted, seed) for size in sizes}
    columns = {size: "cluster" if size == components else f"cluster_{size}d" for size in sizes}
    groups = clusters_in.pop(components)
    ratios = fitted.explained_variance_ratio_
    names = tuple(f"pc{number}" for number in range(1, components + 1))
    counts = np.bincount(labels)
    return Findings(
        quantities={
            "explained_variance": float(ratios[:components].sum()),
            "purity": _fits(groups, labels),
            **{f"purity[{size}]": _fits(found, labels) for size, found in clusters_in.items()},
            "commonest_class": (labels == counts.argmax()).astype(float),
            "adjusted_rand": float(adjusted_rand_score(labels, groups)),
        },
        images={
            **dict(zip(names, test.T, strict=True)),
            "cluster": groups,
            **{columns[size]: found for size, found in clusters_in.items()},
        },
        tables={
            "variance": pd.DataFrame(
                {
                    "component": np.arange(1, len(ratios) + 1),
                    "ratio": ratios,
                    "cumulated": ratios.cumsum(),
                }
            )
        },
        figures=[
            *(
                Scatter(f"pca_{size}d{ending}", f"PCA of the embeddings{more}", names[:size], by)
                for size in (_PLANE, _SPACE)
                if size <= components
                for ending, more, by in (
                    ("", "", "class"),
                    ("_clusters", ", colored by cluster", columns[size]),
                )
            ),
            Lines(
                "explained_variance",
                "Variance of the training embeddings",
                "variance",
                "component",
                ("ratio", "cumulated"),
                "share of the variance",
            ),
        ],
    )


def _cluster(
    train: NDArray[np.float32], test: NDArray[np.float32], count: int, seed: int
) -> NDArray[np.int64]:
    """Return the test images' clusters among those of the training images."""
    means = KMeans(count, n_init=10, random_state=seed).fit(np.ascontiguousarray(train))
    found: NDArray[np.int64] = means.predict(np.ascontiguousarray(test))
    return found


def _fits(clusters: NDArray[np.int64], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return for each image whether its class is its cluster's commonest."""
    counts = np.zeros((clusters.max() + 1, labels.max() + 1), int)
    np.add.at(counts, (clusters, labels), 1)
    return np.asarray(counts.argmax(axis=1)[clusters] == labels, float)
