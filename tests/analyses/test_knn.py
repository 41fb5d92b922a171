import numpy as np
import pytest
from sklearn.metrics import f1_score
from sklearn.neighbors import KNeighborsClassifier

from xaibench.analyses.knn import knn
from xaibench.core.errors import XaibenchError

NAMES = ("a", "b", "c")


def test_one_neighbor_of_four_points_by_hand():
    train = np.array([[0, 0], [4, 0], [0, 2], [4, 2]], np.float32)
    # The first lies beside (4, 0), the second beside (0, 2), the third half way but for a bit.
    test = np.array([[3.9, 0.3], [0.4, 1.8], [2.1, 0]], np.float32)
    found = knn(test, np.array([1, 2, 0]), train, np.array([0, 1, 2, 0]), None, NAMES, k=1)
    assert found.images["knn"].tolist() == [1, 2, 1]
    assert found.quantities["accuracy"].tolist() == [1, 1, 0]
    assert "head_accuracy" not in found.quantities
    assert not found.pairs


def test_the_direction_alone_counts_for_cosine():
    train, labels = np.array([[1, 0], [9, 9]], np.float32), np.array([0, 1])
    near_the_first = np.array([[0.6, 0.6]], np.float32)
    votes = [
        knn(near_the_first, np.array([1]), train, labels, None, NAMES, k=1, metric=metric)
        .images["knn"].item()
        for metric in ("euclidean", "cosine")
    ]  # fmt: skip
    assert votes == [0, 1]


@pytest.mark.parametrize("k", [2, 5])
def test_votes_f1_and_the_sweep_are_sklearns(k):
    rng = np.random.default_rng(k)
    train, test = rng.normal(size=(31, 4)), rng.normal(size=(23, 4))
    labels, truth = rng.integers(0, 3, 31), rng.integers(0, 3, 23)
    head = rng.integers(0, 3, 23)
    found = knn(test, truth, train, labels, head, NAMES, k=k)
    expected = KNeighborsClassifier(k).fit(train, labels).predict(test)
    assert found.images["knn"].tolist() == expected.tolist()
    macro = f1_score(truth, expected, average="macro")
    assert found.quantities["macro_f1"].mean() == pytest.approx(macro)
    assert found.quantities["head_accuracy"].tolist() == (head == truth).tolist()
    assert found.pairs == [("accuracy", "head_accuracy")]
    sweep = found.tables["sweep"].set_index("k")
    assert sweep.index.tolist() == sorted({k, 1, 3, 5, 7, 9, 15, 25})
    for count in (1, 25):
        other = KNeighborsClassifier(count).fit(train, labels)
        assert sweep.loc[count, "accuracy"] == pytest.approx(other.score(test, truth))


@pytest.mark.parametrize("k", [0, 4])
def test_more_neighbors_than_images_are_told(k):
    few = np.zeros((3, 2), np.float32)
    with pytest.raises(XaibenchError, match=rf"knn\[k={k}\]: choose 1 to 3"):
        knn(few, np.zeros(3, int), few, np.zeros(3, int), None, NAMES, k=k)
