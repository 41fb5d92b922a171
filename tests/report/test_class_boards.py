"""Boards of single classes, where images may show several."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from frames import NET, RUN

from xaibench.report.judging.class_boards import class_boards
from xaibench.report.judging.estimates import BoardRow, Estimate
from xaibench.report.judging.per_class import per_class_table
from xaibench.report.page.sheets import sheets

SEVERAL = replace(RUN, several_labels=True)


def row_of(method, kind="method"):
    whole = Estimate(0.5, 60, 0, 30, True, 0.4, 0.6, "a", 1, 1, 0.2)
    return BoardRow(
        "busi", "holdout", NET, method, kind, "", np.nan, dict.fromkeys(RUN.metrics, whole), {}, 0
    )


def line(part, method, value, groups):
    told = {"n": 2 * groups, "undefined": 3, "groups": groups, "low": 0.1, "high": 0.3}
    return {
        "slice": "class", "part": part, "model": NET, "method": method, "metric": "iou",
        "value": value, **told,
    }  # fmt: skip


def test_each_class_has_a_board_of_its_own_values_without_letters():
    board = [row_of("gradcam"), row_of("rise[a=x|y]"), row_of("center", "control")]
    lines = [
        line("Mass; left", "gradcam", 0.2, 12), line("Mass; left", "rise[a=x|y]", 0.3, 15),
        line("Mass; left", "center", 0.1, 15), line("rare", "gradcam", np.nan, 4),
        {**line("small", "gradcam", 0.9, 30), "slice": "mask size"},
    ]  # fmt: skip
    (found,) = class_boards(board, pd.DataFrame(lines), SEVERAL)  # too few images of the rare one
    assert (found.name, found.images) == ("Mass; left", 15)
    first, second, control = found.rows
    assert (first.value("iou"), first.estimates["iou"].undefined, first.estimates["iou"].ties) == (
        0.2, 3, "",
    )  # fmt: skip
    assert np.isnan(second.value("drop"))  # what no slice tells of is undefined
    assert control.kind == "control"
    shown, bounds = sheets(found.rows, SEVERAL), [0.2, 0.3]
    (sheet,) = [each for each in shown if each.columns[2].metric == "iou"]
    # The best first, and behind them the control.
    assert [row.line.method for body in sheet.bodies for row in body.rows] == [
        "rise[a=x|y]", "gradcam", "center",
    ]  # fmt: skip
    assert [row.cells[2][0].value for row in sheet.bodies[0].rows] == bounds[::-1]


def test_images_of_one_label_have_no_boards_of_classes():
    assert not class_boards([row_of("gradcam")], pd.DataFrame([line("a", "gradcam", 1, 20)]), RUN)


def test_the_interval_of_average_precision_is_that_of_a_share_of_the_positives():
    columns = {"label_0": [1, 0, 1, 0, -1], "confidence_0": [0.9, 0.8, 0.8, 0.1, 1.0]}
    columns |= {"prediction_0": [1, 1, 1, 0, 1], "threshold_0": [0.5] * 5}
    images = pd.DataFrame(columns | {"label_1": 0, "confidence_1": 0.5, "prediction_1": 1})
    images = images.assign(threshold_1=0.5, dataset="d", split="s", fold=0, model="m", seed=0)
    table = per_class_table(images, replace(SEVERAL, classes=("a", "b"))).set_index("class")
    # 5/6 of two positives: (p + z²/4 ± z √(p q/2 + z²/16)) / (1 + z²/2) with z = 1.96.
    shown = table.loc["a", ["n", "auprc", "auprc_low", "auprc_high"]].tolist()
    assert shown == pytest.approx([4, 0.83333, 0.24078, 0.98747], abs=1e-4)
    assert table.loc["b", ["auprc", "auprc_low", "auprc_high"]].isna().all()
