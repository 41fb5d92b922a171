"""The protocol's own divider, against scikit-learn and a golden file."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import sklearn
from sklearn.model_selection import StratifiedGroupKFold

from xaibench.core.dividing import divide

GOLDEN = Path(__file__).with_name("golden_splits.json")


def material(classes, images, groups, seed):
    """Uneven classes, and groups that cross them."""
    random = np.random.default_rng(seed)
    labels = np.sort(random.integers(0, classes, images))
    return labels, [f"g{number}" for number in random.integers(0, groups, images)]


def test_the_golden_divisions_come_out():
    """Written once; a change of any library that moves an image must show here."""
    for case in json.loads(GOLDEN.read_text("utf-8")):
        labels, groups = material(*case["material"])
        found = divide(labels, groups, case["parts"], case["seed"])
        assert [part.tolist() for part in found] == case["places"]


@pytest.mark.skipif(
    tuple(map(int, sklearn.__version__.split(".")[:2])) < (1, 8), reason="it divided otherwise"
)
@pytest.mark.parametrize(("classes", "parts"), [(2, 5), (3, 10), (7, 2), (9, 10), (140, 3)])
def test_the_outcome_is_that_of_scikit_learn(classes, parts):
    images = 60 * classes if classes < 100 else 12 * classes
    labels, groups = material(classes, images, images // 2, seed=classes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = StratifiedGroupKFold(parts, shuffle=True, random_state=3).split(
            np.zeros(images), labels, groups
        )
        expected = [test.tolist() for _, test in theirs]
    assert [part.tolist() for part in divide(labels, groups, parts, 3)] == expected


def test_a_group_stays_together_and_every_image_has_its_place():
    labels, groups = material(4, 120, 40, seed=1)
    parts = divide(labels, groups, 6, 0)
    assert sorted(np.concatenate(parts)) == list(range(120))
    homes = [{groups[place] for place in part} for part in parts]
    assert sum(map(len, homes)) == len(set(groups))


def test_the_order_of_images_is_of_no_account():
    labels, groups = material(3, 90, 90, seed=2)
    mixed = np.random.default_rng(0).permutation(90)
    first = divide(labels, groups, 5, 0)
    second = divide(labels[mixed], [groups[place] for place in mixed], 5, 0)
    assert [{groups[i] for i in part} for part in first] == [
        {groups[mixed[i]] for i in part} for part in second
    ]
