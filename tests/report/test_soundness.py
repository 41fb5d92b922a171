"""Tables that are damaged, cut off or from elsewhere; and rows that lack images."""

import numpy as np
import pandas as pd
import pytest
from frames import RUN, metric, predicted, rows_of, run_of, save, write_board

from xaibench.core.errors import XaibenchError
from xaibench.report.facts.material import Material, read_material
from xaibench.report.facts.soundness import check_together

RANDOM = np.random.default_rng(0)


def table(folder, name="scores.csv"):
    return folder / name


@pytest.fixture
def folder(tmp_path):
    scores = rows_of("gradcam", "iou", [0.1, 0.2, 0.3]) + rows_of(
        "gradcam", "drop", [0.2, 0.3, 0.1]
    )
    return save(tmp_path / "run", RUN, pd.DataFrame(scores), predicted([0, 0, 1], [0, 1, 1]))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("0.2", "abc", "line 3: no usable value"),
        (",0,", ",x,", "no usable fold"),
        ("s1", "", "line 3: no usable sample"),
        (",iou,", ",,", "line 2: no usable metric"),
        (",gradcam,s1,iou,0.2,ok", "", "line 3: no usable sample"),
    ],
)
def test_a_damaged_line_is_refused_by_its_number(folder, old, new, told):
    path = table(folder)
    path.write_text(path.read_text("utf-8").replace(old, new, 1), "utf-8")
    with pytest.raises(XaibenchError, match=told):
        write_board(folder)


@pytest.mark.parametrize("length", [150, 200, 250])
@pytest.mark.parametrize("name", ["scores.csv", "predictions.csv"])
def test_a_table_that_was_cut_off_ends_in_one_line(folder, name, length):
    path = table(folder, name)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * length // 320])
    with pytest.raises(XaibenchError) as caught:
        read_material(folder)
    assert "\n" not in str(caught.value)


def test_scores_of_an_image_that_was_never_classified_are_refused(folder):
    path = table(folder)
    path.write_text(path.read_text("utf-8").replace("s2", "s9"), "utf-8")
    with pytest.raises(XaibenchError, match=r"holds s9 for resnet18.*predictions.csv doesn't"):
        read_material(folder)


def test_lost_lines_and_values_out_of_bounds_are_told():
    rows = rows_of("gradcam", "iou", [0.1, 7.0, 0.3]) + rows_of("gradcam", "drop", [0.2])
    material = Material.of(RUN, pd.DataFrame(rows))
    lost, beyond = check_together(RUN, material.scores, material.predictions)
    assert lost.startswith("scores.csv lacks 2 values, such as of drop for gradcam on resnet18")
    assert beyond.startswith("1 values of iou lie outside of its bounds, 0 to 1")


def test_a_run_of_pooled_metrics_alone_has_its_board(tmp_path):
    pooled = metric() | {"estimand": "pooled"}
    scores = pd.DataFrame(rows_of("gradcam", "pxap", RANDOM.random(12)))
    run = run_of(metrics={"pxap": pooled})
    predictions = predicted([0, 1] * 6, [0, 1] * 6)
    board = write_board(save(tmp_path / "run", run, scores, predictions)).board
    assert board["pxap"].notna().all()


def test_a_row_that_lacks_hard_images_wins_nothing(tmp_path):
    easy = np.linspace(0.1, 0.6, 30)
    better = easy + RANDOM.uniform(0.015, 0.025, 30)
    worse = np.where(easy < 0.3, np.nan, easy)
    scores = pd.DataFrame(
        [
            *rows_of("gradcam", "iou", worse),
            *rows_of("rise[a=x|y]", "iou", better),
            *rows_of("spn", "iou", better - 0.2),
        ]
    )
    folder = save(tmp_path / "run", run_of(metrics={"iou": metric()}), scores)
    board = write_board(folder).board.set_index("method")
    assert board.loc["gradcam", "iou"] > board.loc["rise[a=x|y]", "iou"]
    letters = {name: set(board.loc[name, "iou_ties"]) for name in ("gradcam", "rise[a=x|y]", "spn")}
    assert letters["gradcam"] & letters["rise[a=x|y]"]
    assert not letters["spn"] & letters["rise[a=x|y]"]
    text = (folder / "leaderboard.md").read_text("utf-8")
    assert r"`rise[a=x|y]` on `resnet18` leads" in text.replace("\\|", "|")
    assert "only rows that have all can lead" in text
    (line,) = [line for line in text.splitlines() if line.startswith("| gradcam |")][:1]
    assert "**" not in line
