"""The box that a report opens with."""

from collections import namedtuple

import numpy as np
import pandas as pd
from frames import RUN, rows_of

from xaibench.report.facts.material import Material
from xaibench.report.facts.section import sections
from xaibench.report.judging.judge import judge
from xaibench.report.wording.answer import NO_METHOD, answer

Measured = namedtuple("Measured", "model method dependence")
ORDER = np.random.default_rng(0).permutation(40)


def values(mean):
    return mean + np.linspace(-0.08, 0.08, 40)[ORDER]


def answered(*rows, dependence=None):
    (section,) = sections(Material.of(RUN, pd.DataFrame([line for each in rows for line in each])))
    board = [Measured("resnet18", *each) for each in (dependence or {}).items()]
    return answer(section, RUN, judge(section, RUN), board)


def test_the_box_names_the_method_and_the_best_blind_control():
    blind = rows_of("center", "iou", values(0.2))
    found = answered(
        rows_of("gradcam", "iou", values(0.5)), rows_of("spn", "iou", values(0.4)), blind
    )
    assert (found.method, found.model) == ("Grad-CAM", "ResNet-18")
    assert "significantly different from the other row" in found.because
    figures = dict(found.figures)
    assert figures["iou of the best row"] == "0.500"
    assert figures["best blind control: Center"] == "0.200"
    assert figures["95 % interval"].startswith("[0.4")


def test_the_box_recommends_nothing_that_is_not_better_than_blind():
    found = answered(rows_of("gradcam", "iou", values(0.2)), rows_of("center", "iou", values(0.3)))
    assert (found.method, found.model) == (NO_METHOD, "")
    assert "not significantly better than the best blind control" in found.because
    assert answered(rows_of("center", "iou", values(0.3))) is None


def test_the_box_says_which_row_explains_decisions_where_the_leaders_maps_dont():
    rows = [
        rows_of(method, "iou", values(mean))
        for method, mean in (("spn", 0.6), ("hirescam", 0.5), ("gradcam", 0.4), ("center", 0.2))
    ]
    found = answered(
        *rows, dependence={"spn": 0.049, "hirescam": 0.0, "gradcam": 0.05, "center": 0}
    )
    assert found.method == "SPN"
    assert "don't depend on the network's decision (dependence 0.049)" in found.because
    assert found.because.endswith(
        "Of maps that depend on it, `gradcam` on `resnet18` is best: 0.400."
    )
    alone = answered(*rows, dependence={"spn": 0.0, "gradcam": np.nan})
    assert alone.because.endswith("No row has maps that are shown to depend on it.")
    assert "decision" not in answered(*rows, dependence={"spn": 0.05}).because
    assert "decision" not in answered(*rows).because
