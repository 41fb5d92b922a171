"""What layouts of embeddings in two and three dimensions have in common."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness

from xaibench.core.errors import XaibenchError
from xaibench.core.findings import Findings, Scatter

Floats = NDArray[np.floating[Any]]
Source = Literal["embeddings", "pca"]
TRUSTWORTHINESS = {
    "trustworthiness_2d": "how far the five neighbors of an image on the map of two "
    "dimensions are neighbors in the embedding: 1 all, about 0.5 by chance",
    "trustworthiness_3d": "the same of the map of three dimensions",
}
_NEIGHBORS, _FEWEST = 5, 8


class Points(NamedTuple):
    """The test images of which a map of points is made.

    Attributes:
        embeddings: of those chosen, ``(n, D)``.
        places: what the map is made from, ``(n, d)``: the same, or principal components.
        rows: which they are, ``(n,)``.
        total: of how many.
    """

    embeddings: NDArray[np.float32]
    places: NDArray[np.float32]
    rows: NDArray[np.int64]
    total: int

    def notes(self) -> Iterator[str]:
        """Say whether some were left out."""
        if len(self.rows) < self.total:
            yield f"{len(self.rows)} of {self.total} test images were embedded"

    def trust(self, layout: Floats) -> float:
        """Return how far the neighbors in a layout ``(n, 2 or 3)`` are neighbors as embeddings."""
        neighbors = min(_NEIGHBORS, (len(layout) - 1) // 2)
        return float(trustworthiness(self.embeddings, layout, n_neighbors=neighbors))

    def spread(self, layout: Floats) -> Floats:
        """Return a layout by axes, ``(2 or 3, total)``, NaN for images that weren't chosen."""
        table = np.full((layout.shape[1], self.total), np.nan)
        table[:, self.rows] = layout.T
        return table


def choose_points(
    embeddings: NDArray[np.float32],
    train_embeddings: NDArray[np.float32],
    seed: int,
    of: Source,
    images: int,
    components: int,
) -> Points:
    """Return at most so many test images, drawn by chance, and PCA of them where it is asked for.

    PCA is fitted to the training embeddings.
    """
    count = min(images, len(embeddings))
    rows = np.sort(np.random.default_rng(seed).permutation(len(embeddings))[:count])
    chosen = embeddings[rows]
    if of == "embeddings":
        return Points(chosen, chosen, rows, len(embeddings))
    size = min(components, *train_embeddings.shape)
    fitted = PCA(size, random_state=seed).fit(train_embeddings)
    return Points(chosen, fitted.transform(chosen), rows, len(embeddings))


def draw_maps(
    name: str,
    title: str,
    points: Points,
    of: Source,
    dimensions: Sequence[int],
    lay: Callable[[int], Floats],
    notes: Sequence[str],
) -> Findings:
    """Return maps of points in each number of dimensions, and how far they can be trusted.

    Args:
        name: the analysis's, by which columns and figures are called.
        title: what people call it.
        points: those to be placed.
        of: what they are.
        dimensions: of the maps, 2 and 3.
        lay: gives the layout ``(n, 2 or 3)`` in so many dimensions.
        notes: what the analysis has to say beside.
    """
    found: dict[str, float] = {}
    columns: dict[str, NDArray[np.floating[Any]]] = {}
    for size in dimensions:
        places = lay(size)
        columns |= dict(zip(axes_of(name, size), points.spread(places), strict=True))
        found[f"trustworthiness_{size}d"] = points.trust(places)
    figures = [_figure(name, title, size, of) for size in dimensions]
    return Findings(found, columns, figures=figures, notes=[*notes, *points.notes()])


def axes_of(name: str, size: int) -> tuple[str, ...]:
    """Return the columns of a layout's axes.

    >>> axes_of("tsne", 2)
    ('tsne2d_1', 'tsne2d_2')
    """
    return tuple(f"{name}{size}d_{number}" for number in range(1, size + 1))


def _figure(name: str, title: str, size: int, of: Source) -> Scatter:
    source = "embeddings" if of == "embeddings" else "embeddings' principal components"
    return Scatter(f"{name}_{size}d", f"{title} of the {source}", axes_of(name, size))


def check_layout(name: str, dimensions: Sequence[int], count: int, components: int) -> None:
    """Refuse dimensions that can't be drawn, and too few images or components.

    Raises:
        XaibenchError: one of them.
    """
    if not dimensions or set(dimensions) - {2, 3} or len(set(dimensions)) < len(dimensions):
        written = "+".join(map(str, dimensions))
        raise XaibenchError(f"{name}[dimensions={written}]: choose 2, 3 or 2+3.")
    if components < 1:
        raise XaibenchError(f"{name}[components={components}]: choose 1 or more, such as 50.")
    if count < _FEWEST:
        raise XaibenchError(f"{name}: {count} test images are too few; it takes {_FEWEST}.")
