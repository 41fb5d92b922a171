import sys

import numpy as np
import pytest

from xaibench.analyses.umap import umap
from xaibench.core.errors import XaibenchError

LABELS = np.arange(45) % 3


def clouds(seed=0, size=6):
    rng = np.random.default_rng(seed)
    return (20 * np.eye(3, size)[LABELS] + rng.normal(size=(45, size))).astype(np.float32)


def test_what_is_missing_and_what_is_impossible_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", None)
    for options, said in (
        ({}, r"umap-learn can't be imported .*pip install 'xaibench\[umap\]', or take .* tsne"),
        ({"dimensions": (4,)}, r"umap\[dimensions=4\]: choose 2, 3"),
        ({"neighbors": 1}, "2 neighbors or more"),
        ({"distance": 1.5}, "a distance in"),
        ({"images": 7}, "7 test images are too few"),
    ):
        with pytest.raises(XaibenchError, match=said):
            umap(clouds(), clouds(1), 0, **options)


@pytest.mark.slow
def test_separate_clouds_stay_separate():
    pytest.importorskip("umap", reason="umap-learn is an extra")
    found = umap(clouds(), clouds(1), 0, dimensions=(3,), neighbors=60)
    places = np.stack([found.images[f"umap3d_{axis}"] for axis in (1, 2, 3)], axis=1)
    apart = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    assert (LABELS[apart.argmin(axis=1)] == LABELS).all()
    assert found.quantities["trustworthiness_3d"] > 0.85
    assert found.notes == ["44 neighbors: 45 images are few"]
    again = umap(clouds(), clouds(1), 0, dimensions=(3,), neighbors=60)
    assert np.array_equal(places[:, 0], again.images["umap3d_1"])
