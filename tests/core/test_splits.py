from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from xaibench.core.data import MaskLayer, Sample
from xaibench.core.errors import XaibenchError
from xaibench.core.splits import Split, check_split, count_folds, make_split, see_masks

COUNTS = (180, 70, 50)


def make_samples(counts=COUNTS, group_size=1, every=1):
    """Return samples of several classes; every n-th has a mask."""
    samples = []
    for label, count in enumerate(counts):
        for number in range(count):
            masks = (MaskLayer(Path("mask.png")),) if number % every == 0 else ()
            group = f"{label}-{number // group_size}" if group_size > 1 else ""
            samples.append(Sample(f"{label}/{number}", Path("x.png"), label, masks, group=group))
    return samples


def parts_of(split):
    return {"train": split.train, "validation": split.validation, "test": split.test}


def ids(samples):
    return [sample.id for sample in samples]


def split(samples, name="holdout", fold=0, fraction=0.25, seed=0):
    return make_split(samples, name, fold, mask_fraction=fraction, seed=seed)


@pytest.mark.parametrize("name", ["holdout", "kfold:5"])
@pytest.mark.parametrize("group_size", [1, 3])
def test_parts_are_disjoint_and_complete(name, group_size):
    samples = make_samples(group_size=group_size)
    divided = split(samples, name)
    together = [i for part in parts_of(divided).values() for i in ids(part)]
    assert sorted(together) == sorted(ids(samples))


@pytest.mark.parametrize("name", ["holdout", "kfold:5"])
@pytest.mark.parametrize("group_size", [2, 3])
def test_no_group_stands_in_two_parts(name, group_size):
    divided = split(make_samples(group_size=group_size), name)
    groups = [{sample.group for sample in part} for part in parts_of(divided).values()]
    assert not groups[0] & groups[1] | groups[0] & groups[2] | groups[1] & groups[2]


def test_groups_across_classes_stay_together():
    samples = [
        Sample(f"{label}/{n}", Path("x.png"), label, group=f"patient {n // 2}")
        for label in (0, 1)
        for n in range(60)
    ]
    parts = parts_of(split(samples))
    homes = [{sample.group for sample in part} for part in parts.values()]
    assert sum(map(len, homes)) == len(set.union(*homes)) == 30


def test_holdout_is_80_10_10_of_every_class():
    parts = parts_of(split(make_samples()))
    counts = {name: Counter(sample.label for sample in part) for name, part in parts.items()}
    assert counts == {
        "train": {0: 144, 1: 56, 2: 40},
        "validation": {0: 18, 1: 7, 2: 5},
        "test": {0: 18, 1: 7, 2: 5},
    }


@pytest.mark.parametrize("name", ["holdout", "kfold:5"])
def test_grouped_parts_are_stratified_within_a_group_or_two(name):
    samples = make_samples(group_size=3)
    for part in parts_of(split(samples, name)).values():
        counts = Counter(sample.label for sample in part)
        for label, count in enumerate(COUNTS):
            assert abs(counts[label] - len(part) * count / sum(COUNTS)) <= 6


@pytest.mark.parametrize("group_size", [1, 2])
def test_kfold_tests_every_sample_once(group_size):
    samples = make_samples(group_size=group_size)
    tested = [i for fold in range(5) for i in ids(split(samples, "kfold:5", fold).test)]
    assert sorted(tested) == sorted(ids(samples))
    sizes = [len(split(samples, "kfold:5", fold).validation) for fold in range(5)]
    np.testing.assert_allclose(sizes, 24, atol=4)


def test_the_seed_alone_decides():
    samples = make_samples()
    assert split(samples, seed=1) == split(samples, seed=1)
    assert set(ids(split(samples, seed=1).test)) != set(ids(split(samples, seed=2).test))


def test_a_part_keeps_the_order_of_the_samples():
    samples = make_samples()
    place = {sample.id: n for n, sample in enumerate(samples)}
    for part in parts_of(split(samples)).values():
        assert all(place[a.id] < place[b.id] for a, b in pairwise(part))


def test_a_larger_budget_contains_every_smaller_one():
    samples = make_samples()
    seen = [see_masks(samples, tenth / 10, seed=0) for tenth in range(11)]
    assert all(small < large for small, large in pairwise(seen))


def test_the_budget_is_a_share_of_each_class():
    samples = make_samples(every=3)
    seen = see_masks(samples, 0.25, seed=0)
    counts = Counter(sample.label for sample in samples if sample.id in seen)
    assert counts == {0: 15, 1: 6, 2: 4}
    assert all(sample.annotated for sample in samples if sample.id in seen)
    assert seen != see_masks(samples, 0.25, seed=1)


@pytest.mark.parametrize("name", ["holdout", "kfold:5"])
def test_a_budget_of_nothing_shows_no_mask_and_a_whole_one_all_but_the_tests(name):
    samples = make_samples(every=2)
    assert split(samples, name, fraction=0).seen == frozenset()
    whole = split(samples, name, fraction=1)
    annotated = [s for s in (*whole.train, *whole.validation) if s.annotated]
    assert whole.seen == frozenset(ids(annotated))


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5])
def test_masks_of_the_test_set_are_never_seen(fraction):
    divided = split(make_samples(), fraction=fraction)
    assert not divided.seen & set(ids(divided.test))
    for part in (divided.train, divided.validation):
        seen = sum(sample.id in divided.seen for sample in part)
        assert seen == pytest.approx(fraction * len(part), abs=2)


@pytest.mark.parametrize(("name", "needed"), [("holdout", 10), ("kfold:12", 12)])
def test_a_class_too_small_for_every_part_is_named(name, needed):
    with pytest.raises(
        XaibenchError, match=f"the smallest class has 9 images .* split needs {needed} of"
    ):
        split(make_samples((40, 9)), name)


def test_a_class_of_few_groups_is_refused_however_many_images_they_hold():
    with pytest.raises(XaibenchError, match="the smallest class has 2 images"):
        split(make_samples((40, 40), group_size=20))


def test_large_groups_count_once():
    samples = [
        Sample(f"{label}/{n}", Path("x.png"), label, group=f"{n if n < 10 else 'rest'}")
        for label in (0, 1)
        for n in range(400)
    ]
    with pytest.raises(XaibenchError, match="the smallest class has 11 images"):
        split(samples, "kfold:12")


@pytest.mark.parametrize("name", ["holdout", "kfold:5"])
@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 5))]
)
def test_one_lesion_in_many_pictures_never_decides_the_validation(name, seed):
    """Where the largest group comes first, seven pictures of one lesion are half of a class."""
    samples = make_samples((150, 150))
    clumped = [replace(sample, group="clump") if number < 7 else sample
               for number, sample in enumerate(samples)]  # fmt: skip
    for fold in range(count_folds(name)):
        made = split(clumped, name, fold, seed=seed)
        assert all(sample.group != "clump" for sample in made.validation)
        assert min(Counter(sample.label for sample in made.validation).values()) >= 11


@pytest.mark.parametrize(("name", "folds"), [("holdout", 1), ("kfold:2", 2), ("kfold:10", 10)])
def test_folds_are_counted(name, folds):
    assert count_folds(name) == folds


@pytest.mark.parametrize(
    "name", ["", "kfold", "kfold:", "kfold:1", "kfold:x", "kfold:-5", "random"]
)
def test_other_names_are_refused(name):
    with pytest.raises(XaibenchError, match="write 'holdout', 'official', 'kfold:K'"):
        count_folds(name)


def hand_made(train="abc", validation="de", test="fg", **groups):
    parts = [
        tuple(Sample(name, Path("x.png"), 0, group=groups.get(name, "")) for name in part)
        for part in (train, validation, test)
    ]
    return Split(*parts, frozenset())


@pytest.mark.parametrize("name", ["holdout", "kfold:5"])
def test_our_own_splits_pass_the_check(name):
    for fold in range(count_folds(name)):
        check_split(split(make_samples(group_size=3), name, fold))
    check_split(hand_made(a="patient", b="patient", d="other"))


@pytest.mark.parametrize(
    ("leaking", "told"),
    [
        (hand_made(test="fgb"), "sample 'b' is in train and in test"),
        (hand_made(validation="dea"), "sample 'a' is in train and in validation"),
        (hand_made(c="p 7", d="p 7"), "group 'p 7' is in train and in validation"),
        (hand_made(e="p 7", g="p 7"), "group 'p 7' is in validation and in test"),
    ],
)
def test_a_leaking_split_is_refused_and_says_what_leaks(leaking, told):
    with pytest.raises(XaibenchError, match=told):
        check_split(leaking)


def test_a_group_may_be_called_as_a_sample():
    check_split(hand_made(a="f"))
