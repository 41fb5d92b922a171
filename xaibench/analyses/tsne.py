"""t-SNE: the test images as points in two and three dimensions, similar images close together."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE, trustworthiness

from xaibench.core.errors import XaibenchError
from xaibench.core.findings import Findings, Scatter
from xaibench.core.registry import analysis

_NEIGHBORS, _FEWEST = 5, 8
# The optimization needs three times as many images as a neighborhood holds.
_SHARE = 3
# scikit-learn's steps of 50 and more throw few images apart, in three dimensions above all; N / 12
# is what belkina2019tsne advises.
_EXAGGERATION, _USUAL_RATE, _QUARTER = 12.0, 50.0, 4.0


@analysis(
    paper="maaten2008tsne",
    quantities={
        "trustworthiness_2d": "how far the five neighbors of an image on the map of two "
        "dimensions are neighbors in the embedding: 1 all, about 0.5 by chance",
        "trustworthiness_3d": "the same of the map of three dimensions",
    },
)
def tsne(
    embeddings: NDArray[np.float32],
    train_embeddings: NDArray[np.float32],
    seed: int,
    *,
    of: Literal["embeddings", "pca"] = "embeddings",
    dimensions: tuple[int, ...] = (2, 3),
    perplexity: float = 30.0,
    images: int = 2000,
    components: int = 50,
) -> Findings:
    """Embed the test images; distances between clusters and their sizes mean nothing.

    Args:
        embeddings: ``(N, D)``.
        train_embeddings: ``(M, D)``, to which PCA is fitted.
        seed: chooses images and starts the layout.
        of: the embeddings as they are, or their first principal components.
        dimensions: of the maps, 2 and 3.
        perplexity: size of a neighborhood; lowered to a third of the images where they are few.
        images: at most so many, drawn by chance; the others have no place on the map.
        components: principal components, before the embedding.

    Raises:
        XaibenchError: too few images, or an option out of range.
    """
    _check(dimensions, perplexity, min(images, len(embeddings)), components)
    count = min(images, len(embeddings))
    chosen = np.sort(np.random.default_rng(seed).permutation(len(embeddings))[:count])
    suited = min(perplexity, (count - 1) / _SHARE)
    notes = [] if suited == perplexity else [f"perplexity {suited:.3g}: {count} images are few"]
    if count < len(embeddings):
        notes.append(f"{count} of {len(embeddings)} test images were embedded")
    points = embeddings[chosen]
    if of == "pca":
        size = min(components, *train_embeddings.shape)
        points = PCA(size, random_state=seed).fit(train_embeddings).transform(points)
    found: dict[str, float] = {}
    columns: dict[str, NDArray[np.float64]] = {}
    figures: list[Scatter] = []
    usual = max(count / _EXAGGERATION / _QUARTER, _USUAL_RATE)
    rate = min(count / _EXAGGERATION, usual)
    for size in dimensions:
        start = "pca" if size <= min(points.shape) else "random"
        layout = TSNE(size, perplexity=suited, init=start, learning_rate=rate, random_state=seed)
        places = layout.fit_transform(points)
        names = tuple(f"tsne{size}d_{number}" for number in range(1, size + 1))
        columns |= dict(zip(names, _spread(places, chosen, len(embeddings)), strict=True))
        found[f"trustworthiness_{size}d"] = _trust(embeddings[chosen], places)
        source = "embeddings" if of == "embeddings" else "embeddings' principal components"
        figures.append(Scatter(f"tsne_{size}d", f"t-SNE of the {source}", names))
    return Findings(found, columns, figures=figures, notes=notes)


def _check(dimensions: tuple[int, ...], perplexity: float, count: int, components: int) -> None:
    if not dimensions or set(dimensions) - {2, 3} or len(set(dimensions)) < len(dimensions):
        written = "+".join(map(str, dimensions))
        raise XaibenchError(f"tsne[dimensions={written}]: choose 2, 3 or 2+3.")
    if not perplexity > 1:
        raise XaibenchError(f"tsne[perplexity={perplexity}]: choose more than 1, such as 30.")
    if components < 1:
        raise XaibenchError(f"tsne[components={components}]: choose 1 or more, such as 50.")
    if count < _FEWEST:
        raise XaibenchError(f"tsne: {count} test images are too few; it takes {_FEWEST}.")


def _trust(embeddings: NDArray[np.float32], places: NDArray[np.float32]) -> float:
    neighbors = min(_NEIGHBORS, (len(places) - 1) // 2)
    return float(trustworthiness(embeddings, places, n_neighbors=neighbors))


def _spread(
    places: NDArray[np.float32], rows: NDArray[np.int64], count: int
) -> NDArray[np.float64]:
    """Return ``(dimensions, count)``, NaN for images that weren't chosen."""
    table = np.full((places.shape[1], count), np.nan)
    table[:, rows] = places.T
    return table
