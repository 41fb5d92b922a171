"""What may be said of a reported figure and of a run of ours."""

import math

import pytest
from reported_runs import Kind, entry_of, find_runs, judge, leave_board, make_run

RATE = {"reported": "0.900", "cases": "30", "images": "30", "low": "0.7438", "high": "0.9654"}


@pytest.mark.parametrize(
    ("given", "value", "ends", "kind"),
    [
        (RATE, 0.75, (0.60, 0.86), Kind.REPRODUCED),  # ours in theirs
        (RATE, 0.73, (0.60, 0.91), Kind.REPRODUCED),  # theirs in ours
        (RATE, 0.73, (0.60, 0.89), Kind.NOT_REPRODUCED),  # they overlap, neither value in either
        (RATE, 0.60, (0.50, 0.70), Kind.NOT_REPRODUCED),
        ({"reported": "1.95"}, 2.10, (1.9, 2.3), Kind.REPRODUCED),
        ({"reported": "1.95"}, 2.10, (2.0, 2.3), Kind.NOT_REPRODUCED),
        ({"reported": "1.95"}, 1.954, (math.nan, math.nan), Kind.REPRODUCED),  # printed digits
        ({"reported": "1.95"}, 1.956, (math.nan, math.nan), Kind.NOT_REPRODUCED),
        ({"reported": "90.0", "unit": "%"}, 0.88, (0.8, 0.91), Kind.REPRODUCED),
        ({}, 0.88, (0.8, 0.91), Kind.NO_FIGURE),
    ],
)
def test_verdicts_of_the_same_setting(tmp_path, given, value, ends, kind):
    entry = entry_of(**given)
    leave_board(make_run(tmp_path), entry, value, *ends)
    judged = judge(entry, find_runs([tmp_path]))
    assert judged.kind is kind
    assert judged.ours.value == value


def test_not_reproduced_says_on_which_side(tmp_path):
    entry = entry_of(**RATE)
    leave_board(make_run(tmp_path), entry, 0.6, 0.5, 0.7)
    assert judge(entry, find_runs([tmp_path])).why == "ours is lower"


@pytest.mark.parametrize(
    ("entry", "run", "n", "why"),
    [
        ({}, {"suite": {"name": "s", "profile": "quick", "part": ""}}, 30, "profile quick"),
        ({}, {}, 101, "101 images instead of 30"),
        ({}, {}, 9, "9 images instead of 30"),
        ({"options": "weights=none"}, {}, 30, "weights imagenet instead of none"),
        ({"options": "epochs=40"}, {}, 30, "epochs absent instead of 40"),
        ({"options": "dataset=busi[per_class=100]"}, {}, 30,
         "dataset busi[per_class=150] instead of busi[per_class=100]"),
        ({}, {"command": "xaibench run --suite s.toml --learning-rate=1 --out o --no-fold"}, 30,
         "--learning-rate differs from the suite's; --fold differs from the suite's"),
    ],
)  # fmt: skip
def test_another_setting_concludes_nothing(tmp_path, entry, run, n, why):
    entry = entry_of(**RATE | entry)
    leave_board(make_run(tmp_path, **run), entry, 0.9, 0.8, 0.95, n)
    judged = judge(entry, find_runs([tmp_path]))
    assert (judged.kind, judged.why) == (Kind.OTHER_SETTING, why)


@pytest.mark.parametrize("n", [10, 30, 90])
def test_a_setting_may_have_a_few_more_images_and_options_of_the_dataset(tmp_path, n):
    entry = entry_of(**RATE, options="dataset=busi weights=imagenet limit=0")
    leave_board(make_run(tmp_path), entry, 0.9, 0.8, 0.95, n)
    assert judge(entry, find_runs([tmp_path])).kind is Kind.REPRODUCED


def test_what_was_not_run_says_why(tmp_path):
    entry = entry_of(**RATE)
    assert judge(entry, []) == (Kind.NOT_RUN, "data needs an account", None, None)
    run = make_run(tmp_path / "run")
    leave_board(run, entry_of(model="resnet18"), 0.9)
    judged = judge(entry, find_runs([tmp_path]))
    assert (judged.kind, judged.why) == (Kind.NOT_RUN, "the run has no iou of gradcam on resnet50")
    make_run(run, suite={"name": "s", "profile": "full", "part": "other"})
    assert judge(entry, find_runs([tmp_path])).why == "data needs an account"


def test_a_run_of_the_report_s_setting_goes_before_a_later_one(tmp_path):
    entry = entry_of(**RATE, model="saliency_net[backbone=resnet18,loss=dice]")
    first = make_run(tmp_path / "first")
    leave_board(first, entry._replace(model="saliency_net[loss=dice,backbone=resnet18]"), 0.8)
    quick = {"name": "s", "profile": "quick", "part": ""}
    later = make_run(tmp_path / "later", suite=quick, date="2026-02-02")
    leave_board(later, entry, 0.9)
    runs = find_runs([tmp_path, first])
    assert [run.folder.name for run in runs] == ["later", "first"]
    judged = judge(entry, runs)
    assert (judged.kind, judged.ours.value, judged.run.folder) == (Kind.REPRODUCED, 0.8, first)


def test_a_similar_run_of_another_suite_concludes_nothing(tmp_path):
    entry = entry_of(**RATE, similar="small/part/small_vgg")
    other = {"name": "small", "profile": "full", "part": "part"}
    leave_board(make_run(tmp_path / "a", suite=other), entry.other, 0.9, 0.8, 0.95, 90)
    judged = judge(entry, find_runs([tmp_path]))
    assert (judged.kind, judged.ours.value) == (Kind.OTHER_SETTING, 0.9)
    assert judged.why == "small / part; small_vgg instead of resnet50"
    leave_board(make_run(tmp_path / "b"), entry, 0.6, 0.5, 0.7)
    assert judge(entry, find_runs([tmp_path])).kind is Kind.NOT_REPRODUCED
