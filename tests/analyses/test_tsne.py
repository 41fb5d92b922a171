import numpy as np
import pytest

from xaibench.analyses.tsne import tsne
from xaibench.core.errors import XaibenchError

LABELS = np.arange(45) % 3


def clouds(seed=0, size=6):
    rng = np.random.default_rng(seed)
    return (20 * np.eye(3, size)[LABELS] + rng.normal(size=(45, size))).astype(np.float32)


@pytest.mark.parametrize("of", ["embeddings", "pca"])
def test_separate_clouds_stay_separate(of):
    found = tsne(clouds(), clouds(1), 0, of=of, dimensions=(2,), perplexity=8)
    places = np.stack([found.images["tsne2d_1"], found.images["tsne2d_2"]], axis=1)
    apart = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    assert (LABELS[apart.argmin(axis=1)] == LABELS).all()
    assert 0.85 < found.quantities["trustworthiness_2d"] <= 1
    assert not found.notes


def test_what_is_laid_out_of_pca_is_not_what_is_laid_out_of_embeddings():
    first, second = (
        tsne(clouds(), clouds(1)[:20], 0, of=of, dimensions=(2,)).images["tsne2d_1"]
        for of in ("embeddings", "pca")
    )
    assert not np.allclose(first, second)


def test_few_images_lower_the_perplexity_and_many_are_drawn_from():
    found = tsne(clouds(), clouds(1), 5, dimensions=(2,), images=25)
    assert found.notes == ["perplexity 8: 25 images are few", "25 of 45 test images were embedded"]
    placed = ~np.isnan(found.images["tsne2d_1"])
    assert placed.sum() == 25
    again = tsne(clouds(), clouds(1), 6, dimensions=(2,), images=25).images["tsne2d_1"]
    assert not np.array_equal(placed, ~np.isnan(again))


def test_few_images_of_many_dimensions_find_their_neighbors_in_space():
    rng = np.random.default_rng(0)
    centers = 3 * rng.normal(size=(2, 64))
    points = (centers[np.arange(60) % 2] + rng.normal(size=(60, 64))).astype(np.float32)
    found = tsne(points, points, 0, dimensions=(3,))
    assert found.quantities["trustworthiness_3d"] > 0.94  # .79 by scikit-learn's own steps


@pytest.mark.parametrize(
    ("options", "said"),
    [({"dimensions": (2, 4)}, r"dimensions=2\+4\]: choose 2, 3 or 2\+3"),
     ({"dimensions": (2, 2)}, "choose 2, 3"), ({"dimensions": ()}, "choose 2, 3"),
     ({"perplexity": 1.0}, "more than 1"), ({"images": 7}, "7 test images are too few"),
     ({"components": 0}, "choose 1 or more")],
)  # fmt: skip
def test_impossible_options_are_told(options, said):
    with pytest.raises(XaibenchError, match=said):
        tsne(clouds(), clouds(1), 0, **options)
