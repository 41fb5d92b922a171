"""UMAP: the test images as points in two and three dimensions, similar images close together."""

import importlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

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

_FEWEST_NEIGHBORS = 2


@analysis(paper="mcinnes2018umap", quantities=TRUSTWORTHINESS)
def umap(
    embeddings: NDArray[np.float32],
    train_embeddings: NDArray[np.float32],
    seed: int,
    *,
    of: Source = "embeddings",
    dimensions: tuple[int, ...] = (2, 3),
    neighbors: int = 15,
    distance: float = 0.1,
    images: int = 2000,
    components: int = 50,
) -> Findings:
    """Embed the test images by umap-learn (``pip install 'xaibench[umap]'``).

    Args:
        embeddings: ``(N, D)``.
        train_embeddings: ``(M, D)``, to which PCA is fitted.
        seed: chooses images and starts the layout.
        of: the embeddings as they are, or their first principal components.
        dimensions: of the maps, 2 and 3.
        neighbors: size of a neighborhood; lowered where images are few.
        distance: the least between points, in [0, 1].
        images: at most so many, drawn by chance; the others have no place on the map.
        components: principal components, before the embedding.

    Raises:
        XaibenchError: umap-learn isn't installed, too few images, or an option out of range.
    """
    check_layout("umap", dimensions, min(images, len(embeddings)), components)
    if neighbors < _FEWEST_NEIGHBORS or not 0 <= distance <= 1:
        raise XaibenchError(
            f"umap[neighbors={neighbors},distance={distance:g}]: choose 2 neighbors or more, and a "
            "distance in [0, 1]."
        )
    library = _import()
    points = choose_points(embeddings, train_embeddings, seed, of, images, components)
    count = len(points.rows)
    suited = min(neighbors, count - 1)
    notes = [] if suited == neighbors else [f"{suited} neighbors: {count} images are few"]

    def lay(size: int) -> Floats:
        layout = library.UMAP(
            n_components=size,
            n_neighbors=suited,
            min_dist=distance,
            random_state=seed,
            n_jobs=1,
        )
        with _undisturbed():
            placed: Floats = layout.fit_transform(points.places)
        return placed

    return draw_maps("umap", "UMAP", points, of, dimensions, lay, notes)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Silence the library's warnings, and give torch its threads back, which numba changes."""
    threads = torch.get_num_threads()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.set_num_threads(threads)


def _import() -> Any:
    try:
        return importlib.import_module("umap")
    except ImportError as error:
        raise XaibenchError(
            f"umap: umap-learn can't be imported ({error}); pip install 'xaibench[umap]', or take "
            "the analysis tsne."
        ) from error
