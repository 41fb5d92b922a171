"""t-SNE: the test images as points in two and three dimensions, similar images close together."""

import numpy as np
from numpy.typing import NDArray
from sklearn.manifold import TSNE

from xaibench.core.errors import XaibenchError
from xaibench.core.findings import Findings
from xaibench.core.point_maps import (
    TRUSTWORTHINESS,
    Floats,
    Source,
    check_layout,
    choose_points,
    draw_maps,
)
from xaibench.core.registry import analysis

# The optimization needs three times as many images as a neighborhood holds.
_SHARE = 3
# scikit-learn's steps of 50 and more throw few images apart, in three dimensions above all; N / 12
# is what belkina2019tsne advises.
_EXAGGERATION, _USUAL_RATE, _QUARTER = 12.0, 50.0, 4.0


@analysis(paper="maaten2008tsne", quantities=TRUSTWORTHINESS)
def tsne(
    embeddings: NDArray[np.float32],
    train_embeddings: NDArray[np.float32],
    seed: int,
    *,
    of: Source = "embeddings",
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
    check_layout("tsne", dimensions, min(images, len(embeddings)), components)
    if not perplexity > 1:
        raise XaibenchError(f"tsne[perplexity={perplexity}]: choose more than 1, such as 30.")
    points = choose_points(embeddings, train_embeddings, seed, of, images, components)
    count = len(points.rows)
    suited = min(perplexity, (count - 1) / _SHARE)
    notes = [] if suited == perplexity else [f"perplexity {suited:.3g}: {count} images are few"]
    usual = max(count / _EXAGGERATION / _QUARTER, _USUAL_RATE)
    rate = min(count / _EXAGGERATION, usual)

    def lay(size: int) -> Floats:
        start = "pca" if size <= min(points.places.shape) else "random"
        layout = TSNE(size, perplexity=suited, init=start, learning_rate=rate, random_state=seed)
        placed: Floats = layout.fit_transform(points.places)
        return placed

    return draw_maps("tsne", "t-SNE", points, of, dimensions, lay, notes)
