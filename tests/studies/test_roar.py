"""ROAR: what is removed, what is trained on it, and what is compared."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from xaibench.core.errors import XaibenchError
from xaibench.setup.selection import select
from xaibench.studies.run import describe_study, plan_study, run_study


@pytest.fixture(scope="module")
def options(given):
    changed = {"dataset": "phantom[images=24]", "models": ("mini",), "methods": ("gradient",)}
    return {**given, **changed, "split": "kfold:2", "seeds": (0,), "epochs": 1}


def parts(run, fold):
    table = pd.read_csv(run / "splits" / f"kfold-2-fold{fold}.csv")
    return dict(zip(table["sample"], table["part"], strict=True))


@pytest.mark.slow
def test_networks_are_trained_on_copies_without_what_each_method_ranks_highest(options, tmp_path):
    out = tmp_path / "out"
    outcome = run_study(plan_study("roar", ("0.25",), {**options, "out": str(out)}), "a test")
    assert not outcome.failures
    whole = select({**options, "out": str(out / "whole")})
    for method in ("random", "sobel"):
        maps = {}
        for fold in (0, 1):
            assert parts(out / "whole", fold) == parts(out / f"{method}-0.25", fold)
            (file,) = (out / "whole" / "cells").rglob(f"*fold{fold}/mini/seed0/{method}/maps.npz")
            maps |= {key.partition("/")[2]: raw for key, raw in np.load(file).items()}
        for sample in whole.dataset.samples:
            image = whole.loader.load(sample).image
            copy = np.asarray(Image.open(out / "copies" / f"{method}-0.25" / f"{sample.id}.png"))
            saliency = maps[sample.id]
            # Equal values may be parted in any way: what lies above or below them may not.
            bound = np.sort(saliency.ravel())[-round(0.25 * saliency.size)]
            mean = (copy == np.round(image.mean(axis=(0, 1)))).all(axis=-1)
            assert mean[saliency > bound].all()
            assert (copy[saliency < bound] == image[saliency < bound]).all()
            assert (copy != image).any(axis=-1).sum() <= 256  # a quarter of 32 x 32
    table = pd.read_csv(out / "study.csv").set_index("series")
    assert set(table["metric"]) == {"accuracy"}
    assert table.loc["gradient", "against"] == table.loc["sobel", "against"] == "random"
    assert table.loc["random", "against"] == "whole images, 0"
    predicted = {point: pd.read_csv(out / point / "predictions.csv").set_index("sample")
                 for point in ("gradient-0.25", "random-0.25")}  # fmt: skip
    right = [each["label"] == each["prediction"] for each in predicted.values()]
    gap = (right[0].astype(float) - right[1]).mean()
    assert table.loc["gradient", "difference"] == pytest.approx(gap)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("model.pt")}
    assert len(before) == 8
    run_study(plan_study("roar", ("0.25",), {**options, "out": str(out)}), "a test")
    assert {path: path.stat().st_mtime_ns for path in out.rglob("model.pt")} == before


def test_runs_on_copies_keep_all_that_trains(options, tmp_path):
    planned = plan_study("roar", ("0.5", "0.25"), {**options, "out": str(tmp_path / "out")})
    assert [point.name for point in planned.design.later] == [
        f"{method}-{share}" for method in ("gradient", "random", "sobel") for share in (0.25, 0.5)
    ]
    _, first, _ = planned.later
    assert (first.options.epochs, first.options.learning_rate) == (1, 0.02)
    assert not first.methods
    assert "then 6 runs" in " ".join(describe_study(planned))
    assert not (tmp_path / "out").exists()


def test_what_leaves_images_without_maps_is_refused(options):
    for changed, said in (
        ({"split": "holdout"}, "take --split kfold:K"),
        ({"models": ("saliency_net",)}, "learns from masks"),
        ({"keep_maps": False}, "leave --no-keep-maps out"),
    ):
        with pytest.raises(XaibenchError, match=said):
            plan_study("roar", (), {**options, **changed})
