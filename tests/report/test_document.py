import re

import numpy as np
import pandas as pd
import pytest
from frames import NAN, RUN, SAID, metric, predicted, rows_of, run_of, save, write_board

from xaibench.report.numbers import number, span
from xaibench.report.wording.boards import _ties


@pytest.fixture
def write(tmp_path):
    """Write a report of hand-made rows; return its Markdown."""

    def act(scores, run=RUN, predictions=None, costs=None):
        folder = save(tmp_path / "run", run, scores, predictions, costs)
        write_board(folder)
        return (folder / "leaderboard.md").read_text("utf-8")

    return act


def noisy(method, metric, mean, **where):
    """Forty values round a mean; Grad-CAM's and HiResCAM's are the same."""
    order = np.random.default_rng(len(method.replace("hires", "grad"))).permutation(40)
    return rows_of(method, metric, mean + np.linspace(-0.08, 0.08, 40)[order], **where)


@pytest.fixture
def scores():
    return [
        *noisy("gradcam", "iou", 0.5),
        *noisy("hirescam", "iou", 0.5),
        *noisy("rise[a=x|y]", "iou", 0.2),
        *noisy("spn", "iou", 0.6, model="saliency_net"),
        *noisy("center", "iou", 0.3),
        *noisy("center", "iou", 0.3, model="saliency_net"),
        *noisy("oracle", "iou", 0.9),
        *rows_of("gradcam", "drop", [0.5, 0.25, NAN]),
        *rows_of("hirescam", "drop", [0.5, 0.25, NAN]),
    ]


def lines_of(text, start):
    return [line for line in text.splitlines() if line.startswith(f"| {start}")]


def test_cells_hold_value_interval_and_letters_and_only_the_best_is_bold(write, scores):
    text = write(scores)
    (spn,) = lines_of(text, "spn")
    assert spn.startswith(
        "| spn (learned, masks for 25 %) | saliency_net | **0.600** [0.58, 0.62] a |"
    )
    gradcam, in_faithfulness = lines_of(text, "gradcam |")
    assert gradcam == "| gradcam | resnet18 | 0.500 [0.49, 0.52] b | 2 to 3 | 40 | 0 |"
    assert in_faithfulness == (
        "| gradcam | resnet18 | **0.375** [0.00, 1.00] a (1 undefined) | 1 to 2 | 3 | 0 |"
    )
    (rise,) = lines_of(text, "rise")
    assert rise.startswith(r"| rise[a=x\|y] | resnet18 | 0.200 [0.18, 0.22] c | 4 |")
    assert "| method | model | iou ↑ | rank by iou | maps | degenerate |" in text
    assert text.count("**0.") == 3


def test_a_single_row_has_nobody_to_tie_with_and_no_rank(write):
    text = write(rows_of("gradcam", "iou", [0.1, 0.3]))
    assert re.search(
        r"^\| gradcam \| resnet18 \| \*\*0.200\*\* \[[^]]*\] \| 2 \| 0 \|$", text, re.M
    )


def test_letters_that_nobody_could_read_become_a_mark_of_ties_with_the_best():
    assert _ties(["abc", "a", "bd", "d"], 0) == ["abc", "a", "bd", "d"]
    assert _ties(["b1a", "cdefb", "b1", "a1c1"], 0) == ["", "", "=", ""]


def test_controls_are_marked_never_bold_and_named_once_where_equal(write, scores):
    text = write(scores)
    assert "| center (control, blind) | all 2 | 0.300 [0.28, 0.32] | 40 | 0 |" in text
    assert "| oracle (control) | resnet18 | 0.900 [0.88, 0.92] | 40 | 0 |" in text
    assert text.index("Controls, not ranked:") > text.index("| gradcam |")


def test_what_may_be_concluded_stands_on_top(write, scores):
    text = write(scores)
    top = text[: text.index("### Localization")]
    assert "40 maps per row, from 40 independent groups of images" in top
    assert "`spn` on `saliency_net` leads with 0.600 [0.58, 0.62]" in top
    assert "It is significantly different from all 3 other rows" in top
    assert "best without: `gradcam` on `resnet18`, 0.500" in top
    assert "Best blind control (never looks at the image): `center` 0.300" in top
    assert "**Worse than it**: `rise[a=x|y]` on `resnet18`." in top
    assert "One training seed: intervals and tests cover image sampling" in top
    assert "- gradcam = hirescam on resnet18" in top
    assert "Skill needs a segmentation model" in top


def test_a_tie_with_the_leader_is_said_to_be_one(write):
    values = np.random.default_rng(0).random((3, 30))
    scores = [
        line
        for method, row in zip(("gradcam", "hirescam", "spn"), values, strict=True)
        for line in rows_of(method, "iou", row)
    ]
    text = write(scores)
    none = "None of the 2 other rows is significantly different from it: there is no clear winner."
    assert none in text
    assert "Not significantly different from it: " not in text
    # 0.29, the deviation of uniform numbers, times 2 ** 0.5 * 2.9 / 30 ** 0.5.
    reach = float(text.split("for this design): ")[1].split(" ")[0])
    assert 0.17 < reach < 0.27


def test_the_detectable_difference_is_that_of_the_paired_differences(write):
    # Differences of +-0.1 on 20 images: error 0.1 / 19 ** 0.5, reach t(.975) + t(.8) of 19.
    values = np.linspace(0.2, 0.6, 20)
    gap = np.where(np.arange(20) % 2, 0.1, -0.1)
    text = write(rows_of("gradcam", "iou", values) + rows_of("spn", "iou", values - gap))
    found = re.search(r"design\): (\S+) for one pair alone\.", text)
    assert float(found[1]) == pytest.approx(0.068, rel=0.1)


def test_equal_rows_lead_nowhere(write):
    scores = rows_of("gradcam", "iou", [0.1, 0.3]) + rows_of("hirescam", "iou", [0.1, 0.3])
    text = write(scores)
    assert "all 2 rows have the same scores on all images, 0.200 [" in text
    assert "leads with" not in text
    assert text.count("**0.200**") == 2


def test_upper_bounds_have_a_table_of_their_own_without_bold_letters_or_ranks(write, scores):
    run = run_of(metrics={"iou": metric(ranked=False), "drop": metric("faithfulness")})
    text = write(scores, run)
    table = text[text.index("Upper bounds, never ranked:") : text.index("### Faithfulness")]
    assert "| gradcam | resnet18 | 0.500 [0.49, 0.52] | 40 | 0 |" in table
    assert "**" not in table
    assert "rank by" not in table
    assert "by iou" not in text


def test_pooled_estimands_are_marked_and_explained(write, scores):
    text = write(scores, run_of(metrics={"iou": metric(estimand="pooled")}))
    assert "| iou ↑ ‡ |" in text
    assert "‡ marks pooled estimands" in text


def test_many_metrics_are_divided_over_tables_of_like_width(write):
    names = [f"m{number}" for number in range(5)]
    scores = [line for name in names for line in rows_of("gradcam", name, [0.1, 0.3])]
    text = write(scores, run_of(metrics={name: metric() for name in names}))
    heads = [line for line in text.splitlines() if line.startswith("| method | model | m")]
    assert [head.count("↑") for head in heads] == [3, 2]


def test_warnings_definitions_and_sources_are_told(write, scores):
    told = {"value": "Jaccard index", "notes": "none", "options": "a=1\nb=2", "resize": "bilinear"}
    other = {"value": "share kept", "resize": "bilinear"}
    metrics = {
        "iou": metric() | {"definition": told},
        "drop": metric("faithfulness", higher=False) | {"definition": other},
    }
    run = run_of(metrics=metrics, warnings=["3 groups\nleak"], submission={"warnings": ["odd"]})
    text = write(scores, run)
    assert "**Warnings**\n\n- 3 groups leak\n" in text
    assert "\n- odd\n" in text
    meanings = text[text.index("## What each metric means") :]
    assert "All metrics:\n\n- resize: bilinear\n" in meanings
    assert "`iou`\n\n- value: Jaccard index\n- options: a=1; b=2\n" in meanings
    assert "notes" not in meanings
    assert "    xaibench run busi\n" in text


def test_rows_of_a_network_that_learned_from_masks_are_marked(write, scores):
    text = write([*scores, *noisy("gradcam", "iou", 0.4, model="saliency_net")])
    assert "| gradcam | saliency_net † | 0.400" in text


@pytest.mark.slow
def test_names_cannot_break_a_table(write):
    name = "folder[path=a|b<c>\nd]"
    methods = SAID["methods"] | {name: {"family": "cam", "blind": False}}
    text = write(rows_of(name, "iou", [0.1, 0.3]), run_of(methods=methods))
    (line,) = lines_of(text, "folder")
    assert line.startswith(r"| folder[path=a\|b&lt;c> d] | resnet18 | ")


def test_classification_and_costs_are_tables_of_their_own(write, scores):
    costs = pd.DataFrame(rows_of("gradcam", "", [0]) + rows_of("spn", "", [0]))
    costs = costs.drop(columns=["sample", "metric", "value", "status"])
    costs = costs.assign(seconds_per_image=[0.0123456, NAN], forwards_per_image=[1, NAN],
                         peak_memory_mb=[1234.4, NAN])  # fmt: skip
    predictions = predicted([0, 0, 1, 1], [0, 0, 1, 0])
    seen = set(predictions[["model", "sample"]].itertuples(index=False, name=None))
    known = [row for row in scores if (row["model"], row["sample"]) in seen]
    text = write(known, predictions=predictions, costs=costs)
    assert "| gradcam | resnet18 | 0.0123 | 1 | 1234 |" in text
    cost = text[text.index("### Cost of a map") : text.index("## Classification")]
    assert "spn" not in cost
    assert "| resnet18 | 4 | 0.750 [0.30, 0.95] | 0.562 |" in text


def test_tables_come_out_the_same_again_and_without_predictions(tmp_path, scores):
    folder = save(tmp_path / "run", RUN, scores)
    board = write_board(folder).board
    names = ("leaderboard.csv", "leaderboard.md", "leaderboard.tex", "slices.csv",
             "agreement.csv", "classification.csv", "classification_tests.csv")  # fmt: skip
    before = {name: (folder / name).read_bytes() for name in names}
    for name in names:
        (folder / name).unlink()
    pd.testing.assert_frame_equal(write_board(folder).board, board)
    assert {name: (folder / name).read_bytes() for name in names} == before
    assert "### Slices" not in before["leaderboard.md"].decode()


def test_numbers_are_as_long_as_they_must_be():
    assert [number(value) for value in (0.41249, 0.0, NAN)] == ["0.412", "0.000", "—"]
    assert number(0.00041, fine=True) == "0.00041"
    assert span(-0.001, 0.31) == "[0.00, 0.31]"
    assert span(0.0002, 0.0004, fine=True) == "[0.0002, 0.0004]"


def test_metrics_that_agree_have_tau_1_whatever_their_direction(tmp_path):
    values = {"gradcam": 0.2, "hirescam": 0.4, "spn": 0.7}
    scores = [
        line
        for method, value in values.items()
        for line in (
            *rows_of(method, "iou", [value, value + 0.1]),
            *rows_of(method, "drop", [1 - value, 0.9 - value]),
            *rows_of(method, "outside", [value, value + 0.1]),
        )
    ] + rows_of("center", "iou", [0.9, 0.8])
    folder = save(tmp_path / "run", RUN, scores)
    write_board(folder)
    found = pd.read_csv(folder / "agreement.csv").set_index(["first", "second"])
    assert found.loc[("drop", "iou"), "tau"] == pytest.approx(1)
    assert found.loc[("iou", "outside"), "tau"] == pytest.approx(-1)
    assert set(found["rows"]) == {3}


def test_the_judge_of_models_that_do_not_classify_is_named(write, scores):
    assert "judges" not in write(scores)
    told = write(scores, run_of(protocol={"judge": "resnet18"}))
    assert "`resnet18` judges the faithfulness of their maps" in told
