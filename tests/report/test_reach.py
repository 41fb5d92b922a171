"""How high a map on its grid can come, and the share of that which a row reached."""

import numpy as np
import pandas as pd
import pytest
import torch

from xaibench.core.maps import finish
from xaibench.methods.ceiling import ceiling
from xaibench.metrics.iou import iou
from xaibench.report.facts.section import Row, Section
from xaibench.report.judging.judge import judge
from xaibench.report.judging.reach import reach
from xaibench.report.wording.headline import headline
from xaibench.results.records import MethodEntry, MetricEntry, RunRecord

KINDS = {"gradcam": "method", "rise": "method", "center": "control", "ceiling": "control",
         "oracle": "control"}  # fmt: skip
ROWS = [Row("net", method, kind) for method, kind in KINDS.items()]
FAMILIES = ["cam", "perturbation", "control", "control", "control"]


def section_of(values):
    units = pd.DataFrame({"fold": 0, "seed": 0, "sample": ["a"], "group": ["a"]})
    table = np.array([values])
    return Section("d", "s", ROWS, units, {"iou": table}, {"iou": ~np.isnan(table)})


def run_of(methods, *, better=True):
    entries = {
        method: MethodEntry(family=family, blind=method == "center")
        for method, family in zip(KINDS, FAMILIES, strict=True)
        if method in methods
    }
    metric = MetricEntry(higher_is_better=better, family="localization", bounds=(0.0, 1.0))
    return RunRecord(classes=(), methods=entries, metrics={"iou": metric})


@pytest.mark.parametrize("better", [True, False])
def test_a_cam_is_bounded_by_its_grid_and_other_maps_by_the_truth(better):
    values = np.array([0.3, 0.6, 0.2, 0.45, 1.0])
    values = values if better else 1 - values
    found = reach(
        section_of(values), run_of([r.method for r in ROWS], better=better), "iou", values
    )
    np.testing.assert_allclose(found.ceiling[:2], values[[3, 4]])
    np.testing.assert_allclose(found.floor[:2], values[[2, 2]])
    np.testing.assert_allclose(found.share[:2], [0.1 / 0.25, 0.4 / 0.8])
    assert np.isnan(found.share[2:]).all()


def test_runs_of_before_have_no_reach():
    values = np.array([0.3, 0.6, 0.2, 0.45, 1.0])
    run = run_of(["gradcam", "rise", "center", "oracle"])
    assert np.isnan(reach(section_of(values), run, "iou", values).share).all()


def test_the_ceiling_is_the_truth_averaged_over_cells_and_read_like_a_map():
    """A lesion of 2 x 3 pixels in one of 2 x 2 cells of 4 x 6 pixels, worked by hand."""
    masks = torch.zeros(1, 8, 12, dtype=torch.int8)
    masks[0, 1:3, 7:10] = 1
    raw = ceiling(torch.zeros(1, 5, 2, 2), masks)
    assert raw.tolist() == [[[0, 6 / 24], [0, 0]]]
    maps, _ = finish(raw, (8, 12))
    assert 0.1 < iou(maps, masks).item() < 0.3
    fine, _ = finish(ceiling(torch.zeros(1, 5, 8, 12), masks), (8, 12))
    assert iou(fine, masks).item() == 1


def test_the_headline_names_the_ceiling_of_a_leading_cam_alone():
    for values, told in (([0.3, 0.2, 0.25, 0.45, 1.0], True), ([0.3, 0.6, 0.25, 0.45, 1.0], False)):
        section, run = section_of(np.array(values)), run_of([row.method for row in ROWS])
        (said,) = headline(section, run, judge(section, run))
        assert ("On its grid the true mask reaches 0.450." in said) == told
