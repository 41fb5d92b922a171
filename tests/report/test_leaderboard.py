import numpy as np
import pandas as pd
import pytest

from xaibench.core.errors import XaibenchError
from xaibench.report.leaderboard import below_blind, correct_only, leaderboard, to_markdown

NAN = float("nan")
METHODS = {
    "gradcam": ("cam", False),
    "rise[a=x|y]": ("perturbation", False),
    "spn": ("learned", False),
    "centre": ("control", True),
    "oracle": ("control", False),
}
RUN = {
    "dataset": "busi",
    "command": "xaibench run busi",
    "classes": ["benign", "malignant"],
    "mask_fraction": 0.25,
    "methods": {
        name: {"family": family, "blind": blind, "paper": None}
        for name, (family, blind) in METHODS.items()
    },
    "metrics": {
        "drop": {"higher_is_better": False, "family": "faithfulness", "bounds": [0, 1]},
        "iou": {"higher_is_better": True, "family": "localization", "bounds": [0, 1]},
        "outside": {"higher_is_better": False, "family": "localization", "bounds": [0, 1]},
    },
}


def rows_of(method, metric, values, *, seed=0, fold=0, model="resnet18", status="ok"):
    return [
        {"dataset": "busi", "split": "holdout", "fold": fold, "model": model, "seed": seed}
        | {"method": method, "sample": f"s{index}", "metric": metric, "value": value}
        | {"status": status}
        for index, value in enumerate(values)
    ]


@pytest.fixture
def scores():
    return pd.DataFrame(
        # Seed 1 has one map where seed 0 has three: 0.2, 0.4, 1.0 and the undefined one.
        rows_of("gradcam", "iou", [0.2, 0.4, NAN])
        + rows_of("gradcam", "iou", [1.0], seed=1)
        + rows_of("gradcam", "drop", [0.5, 0.5, 0.5])
        # One sample short, its maps constant: two metrics, and still two maps.
        + rows_of("rise[a=x|y]", "iou", [0.0, 0.0], status="constant map")
        + rows_of("rise[a=x|y]", "drop", [0.1, 0.3], status="constant map")
        + rows_of("spn", "iou", [NAN, NAN], status="empty mask")
        + rows_of("spn", "drop", [float("inf"), 0.2])
        + rows_of("centre", "iou", [0.3, 0.3, 0.3])
        + rows_of("oracle", "iou", [1.0, 1.0, 1.0])
    )


@pytest.fixture
def predictions():
    frame = pd.DataFrame(rows_of("", "", [0, 1, 0]) + rows_of("", "", [0], seed=1))
    frame = frame.drop(columns=["method", "metric", "value", "status"])
    return frame.assign(label=[0, 1, 0, 1], prediction=[0, 0, 0, 1])


def row(board, method):
    return board[board["method"] == method].iloc[0]


def test_means_count_every_map_once_and_the_undefined_apart(scores):
    found = row(leaderboard(scores, RUN), "gradcam")
    assert found["iou"] == pytest.approx(1.6 / 3)
    assert (found["iou_n"], found["iou_undefined"], found["iou_better"]) == (3, 1, "higher")
    assert (found["drop"], found["drop_n"], found["drop_better"]) == (0.5, 3, "lower")
    assert np.isnan(found["outside"])
    assert (found["outside_n"], found["outside_undefined"]) == (0, 0)


def test_nothing_defined_is_nan_and_infinity_is_undefined(scores):
    found = row(leaderboard(scores, RUN), "spn")
    assert np.isnan(found["iou"])
    assert (found["iou_n"], found["iou_undefined"]) == (0, 2)
    assert (found["drop"], found["drop_n"], found["drop_undefined"]) == (0.2, 1, 1)


def test_degenerate_maps_are_counted_once_for_all_metrics(scores):
    board = leaderboard(scores, RUN)
    assert row(board, "rise[a=x|y]")["degenerate_maps"] == 2
    assert row(board, "spn")["degenerate_maps"] == 0
    again = scores[scores["method"] == "rise[a=x|y]"].assign(seed=1, status="non-finite map")
    assert row(leaderboard(pd.concat([scores, again]), RUN), "rise[a=x|y]")["degenerate_maps"] == 4


def test_best_first_by_localization_unknown_last_controls_behind(scores):
    board = leaderboard(scores.sample(frac=1, random_state=0), RUN)
    assert board["method"].tolist() == ["gradcam", "rise[a=x|y]", "spn", "oracle", "centre"]
    assert board["kind"].tolist() == ["method", "method", "learned", "control", "control"]


def test_ties_stand_in_the_order_of_names_and_lower_can_be_better():
    scores = pd.DataFrame(
        rows_of("spn", "outside", [0.1])
        + rows_of("gradcam", "outside", [0.2], model="vgg16")
        + rows_of("gradcam", "outside", [0.2], model="resnet18")
    )
    run = RUN | {"metrics": {"outside": RUN["metrics"]["outside"]}}
    board = leaderboard(scores, run)
    assert list(zip(board["method"], board["model"], strict=True)) == [
        ("spn", "resnet18"),
        ("gradcam", "resnet18"),
        ("gradcam", "vgg16"),
    ]


def test_correct_only_keeps_an_image_for_the_seeds_that_got_it_right(scores, predictions):
    board = correct_only(scores, RUN, predictions)
    found = row(board, "gradcam")
    # Seed 0 was wrong on s1 only; s0 of seed 1 was right.
    assert found["iou"] == pytest.approx(0.6)
    assert (found["iou_n"], found["iou_undefined"]) == (2, 1)
    assert row(board, "rise[a=x|y]")["degenerate_maps"] == 1
    none = predictions.assign(prediction=1 - predictions["label"])
    assert correct_only(scores, RUN, none).empty


def test_accuracy_stands_beside_the_row_where_predictions_are_given(scores, predictions):
    board = leaderboard(scores, RUN, predictions)
    assert board["accuracy"].tolist() == [0.75] * 5
    assert "accuracy" not in leaderboard(scores, RUN)


def test_no_scores_give_an_empty_board_and_a_document(scores):
    board = leaderboard(scores.iloc[:0], RUN)
    assert board.empty
    assert to_markdown(board, RUN).startswith("# Leaderboard: busi\n")


def test_a_method_that_the_run_does_not_list_is_refused(scores):
    with pytest.raises(XaibenchError, match="'scorecam', but run"):
        leaderboard(scores.replace("spn", "scorecam"), RUN)


def test_the_table_outlives_a_csv_file(scores, tmp_path):
    scores.to_csv(tmp_path / "scores.csv", index=False)
    # An infinite value and a missing status come back as they went.
    pd.testing.assert_frame_equal(
        leaderboard(pd.read_csv(tmp_path / "scores.csv"), RUN),
        leaderboard(scores, RUN),
        check_dtype=False,
    )
    without = scores.assign(status=np.nan)
    assert leaderboard(without, RUN)["degenerate_maps"].sum() == 0


def test_rows_below_the_best_blind_control_are_named(scores):
    (line,) = below_blind(leaderboard(scores, RUN), RUN)
    assert line.startswith("busi, holdout, iou ↑: worse than centre (0.300)")
    assert line.endswith(": rise[a=x|y] on resnet18 (0.000)")


def test_markdown(scores, predictions):
    classification = pd.DataFrame({"model": ["resnet18"], "accuracy": [0.75], "auroc": [NAN]})
    board = leaderboard(scores, RUN)
    text = to_markdown(board, RUN, correct_only(scores, RUN, predictions), classification)
    lines = text.splitlines()
    assert "`xaibench run busi`" in lines[2]
    assert "| method | model | iou ↑ | outside ↓ | n | degenerate maps |" in lines
    assert "| gradcam | resnet18 | **0.533** (1 undefined) | — | 4 | 0 |" in lines
    assert "| gradcam | resnet18 | **0.600** (1 undefined) | — | 3 | 0 |" in lines
    assert r"| rise[a=x\|y] | resnet18 | 0.000 | — | 2 | 2 |" in lines
    assert "| spn (learned, masks for 25 %) | resnet18 | — (2 undefined) | — | 2 | 0 |" in lines
    # A control may be better than all, and is never bold.
    assert "| oracle (control) | resnet18 | 1.000 | — | 3 | 0 |" in lines
    assert "| centre (control, blind) | resnet18 | 0.300 | — | 3 | 0 |" in lines
    assert r"| rise[a=x\|y] | resnet18 | **0.200** | 2 | 2 |" in lines
    assert "| resnet18 | 0.750 | — |" in lines
    assert text.index("### Localization") < text.index("### Faithfulness")
    assert text.index("Controls, not ranked:") > text.index("| gradcam |")


def test_values_that_tie_are_both_bold():
    scores = pd.DataFrame(
        rows_of("gradcam", "iou", [0.1, 0.2, 0.3]) + rows_of("spn", "iou", [0.3, 0.2, 0.1])
    )
    assert to_markdown(leaderboard(scores, RUN), RUN).count("**0.200**") == 2
