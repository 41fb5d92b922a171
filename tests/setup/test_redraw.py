"""Repeated cross-validation, and masks that each training seed draws anew."""

import json

import pytest

from xaibench.core.errors import XaibenchError
from xaibench.core.repeats import count_all_folds
from xaibench.setup.selection import select


def chosen(tmp_path, **options):
    return select(
        {
            "dataset": "phantom[images=24]",
            "split": "kfold:3",
            "image_size": 40,
            "mask_fraction": 0.5,
            "out": str(tmp_path / "run"),
            **options,
        }
    )


def test_repetitions_divide_anew_and_the_first_is_the_plain_split(tmp_path):
    plain, repeated = chosen(tmp_path), chosen(tmp_path, split="kfold:3x2")
    assert [*repeated.folds] == [*range(6)]
    parts = [{s.id for s in repeated.split(fold).test} for fold in repeated.folds]
    assert parts[:3] == [{s.id for s in plain.split(fold).test} for fold in plain.folds]
    everyone = {sample.id for sample in plain.dataset.samples}
    assert set.union(*parts[3:]) == everyone
    assert sum(map(len, parts[3:])) == len(everyone)
    assert parts[3:] != parts[:3]
    with pytest.raises(XaibenchError, match="kfold:3x0"):
        count_all_folds("kfold:3x0")


def test_seeds_draw_their_own_masks_and_seed_0_those_of_before(tmp_path):
    redrawn, shared = chosen(tmp_path), chosen(tmp_path, redraw=False)
    first, second = redrawn.split(1, 0), redrawn.split(1, 7)
    assert first.seen != second.seen
    assert len(first.seen) == len(second.seen)
    assert first.test == second.test
    assert first.seen == shared.split(1, 0).seen == shared.split(1, 7).seen


def test_a_run_from_before_keeps_its_draw(tmp_path):
    assert chosen(tmp_path).options.redraw
    (tmp_path / "run").mkdir()
    record = {"classes": [], "methods": {}, "metrics": {}, "options": {"epochs": 3}}
    (tmp_path / "run" / "run.json").write_text(json.dumps(record), "utf-8")
    assert not chosen(tmp_path).options.redraw
    assert chosen(tmp_path, redraw=True).options.redraw
