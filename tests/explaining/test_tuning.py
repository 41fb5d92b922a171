"""Thresholds tuned on validation images, and what a cell costs."""

import numpy as np
import pandas as pd
import pytest
import torch

from xaibench.core.data import IGNORED
from xaibench.core.errors import XaibenchError
from xaibench.core.maps import finish
from xaibench.core.overlap import GRID
from xaibench.core.store import read_json
from xaibench.explaining.tuning import Tuning
from xaibench.results.maps import MapReader
from xaibench.setup.selection import select


def jaccard(values, mask, threshold):
    marked = values >= np.float32(threshold) * values.max()
    return (marked & mask).sum() / (marked | mask).sum()


@pytest.fixture(scope="module")
def tuned(run_cells, small, tmp_path_factory):
    out = tmp_path_factory.mktemp("tuned") / "out"
    given = {**small, "methods": ("sobel", "center"), "metrics": ("iou", "iou_tuned", "iou_best")}
    run_cells(given, out, mask_fraction=0.5)
    return select({**given, "out": str(out), "mask_fraction": 0.5})


def scores_of(selection):
    return pd.read_csv(selection.layout.out / "scores.csv")


def test_thresholds_are_the_best_on_validation_masks_under_the_budget(tuned):
    split = tuned.split(0)
    seen = [s for s in split.validation if s.id in split.seen]
    assert 0 < len(seen) < len(split.validation)
    costs = pd.read_csv(tuned.layout.out / "costs.csv").set_index("method")
    from xaibench.methods.center import center  # noqa: PLC0415

    pictures = [tuned.loader.load(sample) for sample in seen]
    images = torch.from_numpy(np.stack([p.image for p in pictures])).permute(0, 3, 1, 2) / 255
    maps, _ = finish(center(images), images.shape[2:], sign="relu")
    means = [
        np.mean([jaccard(m, p.mask > 0, t) for m, p in zip(maps.numpy(), pictures, strict=True)])
        for t in GRID
    ]
    assert costs.loc["center", "tuned_threshold"] == GRID[int(np.argmax(means))]
    assert costs.loc["center", "tuned_threshold"] != costs.loc["sobel", "tuned_threshold"]


def test_test_images_are_scored_at_the_tuned_threshold(tuned):
    costs = pd.read_csv(tuned.layout.out / "costs.csv").set_index("method")
    place = tuned.layout.out / "cells"
    (archive,) = place.rglob("sobel/maps.npz")
    scores = scores_of(tuned)
    mine = scores[(scores["method"] == "sobel") & (scores["metric"] == "iou_tuned")]
    threshold = costs.loc["sobel", "tuned_threshold"]
    expected = []
    with MapReader(archive) as reader:
        for sample in tuned.split(0).test:
            picture = tuned.loader.load(sample)
            raw = torch.from_numpy(reader[f"label/{sample.id}"])[None]
            values = finish(raw, picture.mask.shape, sign="relu")[0][0].numpy()
            expected.append(jaccard(values, picture.mask > 0, threshold))
    np.testing.assert_allclose(mine["value"], expected, rtol=1e-5)


def test_no_tuned_threshold_beats_the_oracle_s(tuned):
    means = scores_of(tuned).groupby(["method", "metric"])["value"].mean().unstack()
    assert (means["iou_best"] >= means["iou_tuned"]).all()
    assert (means["iou_best"] > means["iou"]).all()


def test_pooled_values_are_marked(tuned):
    scores = scores_of(tuned)
    assert set(scores.loc[scores["metric"] == "iou_best", "status"]) == {"pooled"}
    assert set(scores.loc[scores["metric"] == "iou", "status"]) == {"ok"}


def test_without_validation_masks_nothing_is_tuned(plan_of, small, tmp_path):
    plan = plan_of({**small, "metrics": ("iou", "iou_tuned")}, tmp_path, mask_fraction=0)
    assert [metric.spec for metric in plan.metrics] == ["iou"]
    assert ("iou_tuned", "no validation mask may be seen under this --mask-fraction") in [
        (skip.what, skip.reason) for skip in plan.skips
    ]


def test_empty_masks_tune_nothing():
    tuning = Tuning()
    tuning.add(torch.rand(2, 5, 7), torch.zeros(2, 5, 7))
    with pytest.raises(XaibenchError, match="all validation masks that may be seen are empty"):
        _ = tuning.found


@pytest.mark.slow
def test_costs_are_charged_as_if_each_method_stood_alone(run_cells, small, tmp_path):
    methods = ("gradcam", "hirescam", "sobel", "occlusion[stride=16,window=16]", "gradient",
               "input_x_gradient")  # fmt: skip
    captum = "captum[name=Saliency]"
    run_cells({**small, "methods": (*methods, captum), "metrics": ("iou",)}, tmp_path,
              target="label")  # fmt: skip
    costs = pd.read_csv(tmp_path / "costs.csv").set_index("method")
    passes = costs["forwards_per_image"]
    # Of 32 x 32 pixels; occlusion looks at the untouched image, too.
    assert passes.to_dict() == {
        "gradcam": 1, "hirescam": 1, "sobel": 0, methods[3]: 5, "gradient": 1, captum: 1,
        "input_x_gradient": 1,  # though it finds the gradients there
    }  # fmt: skip
    assert (costs["seconds_per_image"] > 0).all()
    assert (costs["peak_memory_mb"] > 10).all()


def test_stored_maps_keep_what_they_cost(run_cells, small, tmp_path):
    run_cells({**small, "metrics": ("iou",)}, tmp_path)
    (cell,) = tmp_path.rglob("gradcam/cell.json")
    before = read_json(cell)
    run_cells({**small, "metrics": ("iou", "iou_tuned")}, tmp_path)
    after = read_json(cell)
    names = ("seconds_per_image", "forwards_per_image", "peak_memory_mb")
    assert [after[name] for name in names] == [before[name] for name in names]
    assert "tuned_threshold" not in before
    assert after["tuned_threshold"] in GRID


def test_pixels_that_no_metric_counts_move_no_threshold():
    generator = torch.Generator().manual_seed(4)
    maps = torch.rand(3, 9, 14, generator=generator)
    masks = torch.zeros(3, 9, 14, dtype=torch.int8)
    masks[0, 2:5, 3:9] = masks[1, 1:3, 2:6] = 1
    masks[:2, :, 9:] = IGNORED
    masks[2] = IGNORED
    whole, cut = Tuning(), Tuning()
    whole.add(maps.masked_fill(masks == IGNORED, 5.0), masks)
    cut.add(maps[:2, :, :9], masks[:2, :, :9])
    assert whole.found == cut.found


def test_each_class_has_the_threshold_that_suits_it():
    tuning = Tuning()
    ramp = torch.linspace(0, 1, 10).repeat(1, 3, 1)  # a map that rises from left to right
    wide, narrow, none = (torch.zeros(1, 3, 10) for _ in range(3))
    wide[..., 4:], narrow[..., 8:] = 1, 1
    for masks, name in ((wide, "wide"), (narrow, "narrow"), (none, "never marked")):
        tuning.add(ramp, masks, name)
    found = tuning.found
    # The lowest hundredth above what the last column outside of the mask has: 3/9 and 7/9.
    assert found.by_class == {"wide": 0.34, "narrow": 0.78}
    curves = [[jaccard(ramp[0].numpy(), m[0].numpy() > 0, t) for t in GRID] for m in (wide, narrow)]
    assert found.of("never marked") == found.overall == GRID[int(np.mean(curves, axis=0).argmax())]
