"""`--split file:DIR`: the same images are in the same parts again."""

from dataclasses import replace
from pathlib import Path

import pytest

from xaibench.core.data import Sample
from xaibench.core.errors import XaibenchError
from xaibench.core.splits import make_split
from xaibench.results.splits import find_stored, write_split

CLASSES = ("cat", "dog")
SAMPLES = [Sample(f"{CLASSES[n % 2]}/NA{n}", Path("x.png"), n % 2, group=f"g{n // 2}")
           for n in range(48)]  # fmt: skip


def stored(folder, folds=3, seed=5):
    made = [make_split(SAMPLES, f"kfold:{folds}", fold, mask_fraction=1, seed=seed)
            for fold in range(folds)]  # fmt: skip
    for fold, split in enumerate(made):
        write_split(folder / "splits" / f"kfold-{folds}-fold{fold}.csv", split, CLASSES)
    return made


@pytest.mark.parametrize("inner", ["", "splits"])
def test_a_run_s_splits_come_back_whatever_the_seed(tmp_path, inner):
    made = stored(tmp_path)
    found = find_stored(f"file:{tmp_path / inner}")
    assert found.name == "kfold:3"
    for fold, split in enumerate(made):
        parts = found.parts(SAMPLES, CLASSES, fold)
        again = make_split(SAMPLES, found.name, fold, mask_fraction=1, seed=0, divided=parts)
        assert again == split != make_split(SAMPLES, found.name, fold, mask_fraction=1, seed=0)


def test_what_the_table_does_not_name_stands_in_no_part(tmp_path):
    stored(tmp_path)
    more = [*SAMPLES, Sample("dog/new", Path("x.png"), 1)]
    parts = find_stored(f"file:{tmp_path}").parts(more, CLASSES, 0)
    assert sum(map(len, parts)) == len(SAMPLES)


def test_other_options_have_no_stored_split():
    assert find_stored("kfold:5") is None


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda f: (f / "kfold-3-fold1.csv").unlink(), "3 folds need 3 files, but 2"),
        (lambda f: (f / "holdout.csv").write_text(""), "holdout and kfold:3"),
        (lambda f: [each.unlink() for each in f.iterdir()], "no split there"),
    ],
)
def test_incomplete_folders_are_refused(tmp_path, spoil, said):
    stored(tmp_path)
    spoil(tmp_path / "splits")
    with pytest.raises(XaibenchError, match=said):
        find_stored(f"file:{tmp_path}")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("cat/NA0,", "cat/gone,", "is no sample of this dataset"),
        ("cat/NA0,cat", "cat/NA0,dog", "but here its class is 'cat'"),
        (",test,", ",exam,", "into 'exam'"),
        ("sample,class", "sample,kind", "column class is missing"),
        ("cat/NA2,", "cat/NA0,", "is named twice"),
    ],
)
def test_tables_that_do_not_fit_are_refused(tmp_path, old, new, said):
    stored(tmp_path)
    file = tmp_path / "splits" / "kfold-3-fold0.csv"
    file.write_text(file.read_text("utf-8").replace(old, new), "utf-8")
    with pytest.raises(XaibenchError, match=said):
        find_stored(f"file:{tmp_path}").parts(SAMPLES, CLASSES, 0)


def test_a_class_that_was_renamed_is_noticed(tmp_path):
    stored(tmp_path)
    turned = [replace(sample, label=1 - sample.label) for sample in SAMPLES]
    with pytest.raises(XaibenchError, match="but here its class is"):
        find_stored(f"file:{tmp_path}").parts(turned, CLASSES, 1)
