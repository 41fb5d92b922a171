import numpy as np
import pytest

from xaibench.analyses.pca import pca
from xaibench.core.errors import XaibenchError

NAMES = ("a", "b")


def drawn(count, seed=0):
    rng = np.random.default_rng(seed)
    stretched = rng.normal(size=(count, 5)) * [9, 5, 2, 1, 0.5]
    return np.add(stretched, [3, -4, 0, 7, 1]).astype(np.float32)


def test_coordinates_and_variance_are_those_of_numpys_svd():
    train, test = drawn(40), drawn(7, seed=1)
    found = pca(test, np.zeros(7, int), train, NAMES, 0)
    _, values, axes = np.linalg.svd(train - train.mean(0, dtype=float), full_matrices=False)
    expected = (test - train.mean(0)) @ axes[:3].T
    for number in range(3):
        column = found.images[f"pc{number + 1}"]
        # An axis has no sign of its own.
        assert np.abs(column) == pytest.approx(np.abs(expected[:, number]), abs=1e-3)
    ratios = values**2 / (values**2).sum()
    assert found.tables["variance"]["ratio"].to_numpy() == pytest.approx(ratios, abs=1e-5)
    assert found.tables["variance"]["cumulated"].iloc[-1] == pytest.approx(1)
    assert found.quantities["explained_variance"] == pytest.approx(ratios[:3].sum(), abs=1e-5)


def test_purity_and_rand_by_hand():
    # Two far clouds; of the test images 3 a and 1 b lie in the one, 2 b in the other.
    train = np.concatenate([drawn(20) * 0.01, drawn(20) * 0.01 + 50])
    test = np.concatenate([train[:4], train[20:22]])
    labels = np.array([0, 0, 0, 1, 1, 1])
    found = pca(test, labels, train, NAMES, 0)
    assert found.quantities["purity"].tolist() == [1, 1, 1, 0, 1, 1]
    assert found.quantities["commonest_class"].mean() == 0.5
    # Pairs together in both: 3 + 1 = 4; in clusters 7, in classes 6, of 15.
    expected = 7 * 6 / 15
    assert found.quantities["adjusted_rand"] == pytest.approx((4 - expected) / (6.5 - expected))
    assert len(set(found.images["cluster"][:4])) == 1


def test_clusters_are_as_many_as_classes_unless_given():
    train, labels = drawn(60), np.arange(60) % 3
    counts = {
        clusters: len(
            set(pca(train, labels, train, ("a", "b", "c"), 0, clusters=clusters).images["cluster"])
        )
        for clusters in (None, 5)
    }
    assert counts == {None: 3, 5: 5}


def test_clusters_of_the_first_two_components_stand_beside_those_of_three():
    # Classes differ along the third component alone.
    drawn_points = np.random.default_rng(0).normal(size=(60, 3))
    components, _, _ = np.linalg.svd(drawn_points - drawn_points.mean(0), full_matrices=False)
    points = (components * [10, 9, 8]).astype(np.float32)
    labels = (points[:, 2] > 0).astype(int)
    options = {"clusters": 6}
    found = pca(points, labels, points, NAMES, 0, **options)
    assert found.quantities["purity"].mean() > found.quantities["purity[2]"].mean()
    flat = pca(points, labels, points, NAMES, 0, components=2, **options)
    assert np.array_equal(flat.quantities["purity"], found.quantities["purity[2]"])
    assert [figure.by for figure in found.figures[:4]] == [
        "class", "cluster_2d", "class", "cluster"
    ]  # fmt: skip


def test_a_plane_has_no_figure_in_space():
    found = pca(drawn(6), np.zeros(6, int), drawn(9), NAMES, 0, components=2)
    assert [figure.name for figure in found.figures] == [
        "pca_2d", "pca_2d_clusters", "explained_variance"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "said"),
    [({"components": 6}, "dimensions have 2 to 5"), ({"components": 1}, "2 to 5; choose as many"),
     ({"clusters": 41}, "choose 1 to 40")],
)  # fmt: skip
def test_impossible_options_are_told(options, said):
    with pytest.raises(XaibenchError, match=said):
        pca(drawn(6), np.zeros(6, int), drawn(40), NAMES, 0, **options)
