"""From a finished run's folder to its diagnosis."""

import copy
import dataclasses
import hashlib
import json
import shutil

import pandas as pd
import pytest
import torch

from xaibench.core.errors import XaibenchError
from xaibench.core.maps import CONSTANT
from xaibench.core.registry import plugins
from xaibench.core.store import read_json
from xaibench.diagnostics import classifier_dependence, randomization, twins
from xaibench.diagnostics.run import diagnose, diagnose_shortcut
from xaibench.diagnostics.subject import open_subject
from xaibench.explaining.batch import Maps
from xaibench.setup.selection import select

pytestmark = pytest.mark.slow  # whole runs


def digest(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def diagnosed(finished):
    """A whole diagnosis, and what the run's other files were before and after."""
    before = digest(finished)
    frame = diagnose(finished)
    after = digest(finished)
    return finished, frame, before, {k: v for k, v in after.items() if "diagnostics." not in k}


def verdict(frame, diagnostic, method, stage=""):
    rows = frame[(frame["diagnostic"] == diagnostic) & (frame["method"] == method)]
    rows = rows[rows["stage"].str.contains(stage, regex=False) & (rows["verdict"] != "")]
    (found,) = rows["verdict"]
    return found


def test_the_run_stays_as_it_was(diagnosed):
    _, _, before, after = diagnosed
    assert after == before
    assert any(name.endswith("model.pt") for name in before)


def test_controls_fail_randomization_and_gradcam_passes(diagnosed):
    _, frame, *_ = diagnosed
    for control in ("sobel", "center", "all_ones", "random", "fragile"):
        assert verdict(frame, "randomization", control) == "fail", control
    for method in ("gradcam", "spn"):
        assert verdict(frame, "randomization", method) == "pass", method


def test_maps_are_followed_from_the_last_layer_to_the_first(diagnosed):
    _, frame, *_ = diagnosed
    rows = frame[(frame["diagnostic"] == "randomization") & (frame["method"] == "spn")]
    assert list(rows["stage"]) == [f"last {n} of 6 layers random" for n in (1, 2, 3, 4, 6)]
    # The last layer is the classification head, on which the saliency doesn't depend.
    assert rows["rank_correlation"].iloc[0] == 1
    assert list(rows["verdict"]) == ["", "", "", "", "pass"]


def test_the_saliency_head_is_told_not_to_depend_on_the_classifier(diagnosed):
    _, frame, *_ = diagnosed
    for stage in ("random head (head)", "another class"):
        assert verdict(frame, "classifier_dependence", "spn", stage) == "fail"
        assert verdict(frame, "classifier_dependence", "gradcam", stage) == "pass"
        assert verdict(frame, "classifier_dependence", "sobel", stage) == "fail"


def test_baselines_are_compared_over_methods_without_controls(diagnosed):
    _, frame, *_ = diagnosed
    rows = frame[frame["diagnostic"] == "baseline_sensitivity"]
    compared = rows[rows["verdict"] == ""]
    assert len(compared) == 6 + 3  # pairs of 3 baselines under 2 ways, pairs of ways under 3
    assert compared["tau"].between(-1, 1).all()
    winners = {name for pair in compared["winners"] for name in pair.split(" / ")}
    assert winners <= {"gradcam", "gradient", "spn", "fragile"}
    judged = rows[rows["verdict"] != ""]
    assert list(judged["stage"]) == [
        "drop_in_confidence, whatever 'baseline' is",
        "drop_in_confidence, whatever 'by' is",
    ]


def test_black_darkening_equals_the_runs_own_scores(diagnosed):
    out, frame, *_ = diagnosed
    scores = pd.read_csv(out / "scores.csv")
    drops = scores[scores["metric"] == "drop_in_confidence"].groupby("method")["value"].mean()
    best = drops[["gradcam", "gradient", "spn", "fragile"]].idxmin()
    rows = frame[frame["stage"].str.startswith("drop_in_confidence against")]
    assert {pair.split(" / ")[0] for pair in rows["winners"]} == {best}


def test_tables_are_written_for_machines_and_people(diagnosed):
    out, frame, *_ = diagnosed
    stored = pd.read_csv(out / "diagnostics.csv", keep_default_na=False)
    assert list(stored["why"]) == list(frame["why"])
    assert list(stored.columns[:5]) == ["diagnostic", "model", "method", "stage", "n"]
    page = (out / "diagnostics.md").read_text("utf-8")
    for part in ("## randomization", "half of the way from chance", "| fail | pond | sobel |",
                 "12 test images of phantom[images=120]"):  # fmt: skip
        assert part in page


def test_the_command_line_says_who_passes(finished, call, tmp_path):
    out = shutil.copytree(finished, tmp_path / "copy")
    arguments = ("--checks", "classifier_dependence", "--methods", "spn,gradcam", "--images", "6")
    code, printed, _ = call("diagnose", out, *arguments)
    assert code == 0
    line = "classifier_dependence, pond, another class: "
    assert f"{line}fail spn; pass gradcam" in printed
    frame = pd.read_csv(out / "diagnostics.csv")
    assert set(frame["method"]) == {"spn", "gradcam"}
    assert set(frame["n"]) == {6}


def test_a_method_that_fails_is_undecided_and_alone(finished, tmp_path):
    out = shutil.copytree(finished, tmp_path / "copy")
    method = plugins("method")["fragile"].function
    method.broken = True
    try:
        frame = diagnose(out, checks="randomization", methods="fragile,gradcam")
    finally:
        method.broken = False
    rows = frame[frame["method"] == "fragile"]
    assert list(rows["verdict"].unique()) == ["undecided"]
    assert set(rows["why"]) == {"failed: ValueError('cracked')"}
    assert verdict(frame, "randomization", "gradcam") == "pass"


def test_the_model_in_memory_stays_and_explains_again_what_is_stored(finished):
    options = read_json(finished / "run.json")["options"]
    selection = select({**options, "out": str(finished)})
    subject = open_subject(selection, selection.models[0], selection.methods, 6)
    state = copy.deepcopy(subject.model.state_dict())
    list(randomization.randomization(subject))
    list(classifier_dependence.classifier_dependence(subject))
    again = subject.maps_of(subject.model)
    assert set(again) == set(subject.maps)
    for spec, maps in subject.maps.items():
        torch.testing.assert_close(again[spec].values, maps.values, atol=1e-6, rtol=0)
    assert all(torch.equal(values, state[k]) for k, values in subject.model.state_dict().items())
    assert not any(part._forward_pre_hooks or part._forward_hooks or part.training
                   for part in subject.model.modules())  # fmt: skip


def test_maps_of_zeros_leave_both_diagnostics_undecided(finished):
    options = read_json(finished / "run.json")["options"]
    selection = select({**options, "out": str(finished)})
    methods = [method for method in selection.methods if method.spec == "gradcam"]
    subject = open_subject(selection, selection.models[0], methods, 6)
    zeros = Maps(torch.zeros_like(subject.maps["gradcam"].values), [CONSTANT] * 6)
    subject = dataclasses.replace(subject, maps={"gradcam": zeros})
    last = list(randomization.randomization(subject))[-1]
    for found in (last, *classifier_dependence.classifier_dependence(subject)):
        assert (found.verdict, found.n) == ("undecided", 0)


def test_a_comparison_and_a_file_are_no_run(finished, tmp_path):
    run = {k: v for k, v in read_json(finished / "run.json").items() if k != "record_checksum"}
    sources = [{"name": "a"}, {"name": "b"}]
    (tmp_path / "run.json").write_text(json.dumps({**run, "sources": sources}))
    with pytest.raises(XaibenchError, match=r"no networks; name one of its runs: a, b\.$"):
        diagnose(tmp_path)
    with pytest.raises(XaibenchError, match=f"is a file; name its folder, {tmp_path}"):
        diagnose(tmp_path / "run.json")


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("absent",), ("absent: no run.json",)),
        ((), ("name the folder", "--shortcut")),
        (("{out}", "--shortcut"), ("name the folder", "--shortcut")),
        (("{out}", "--checks", "randomizaton"), ("did you mean 'randomization'?",)),
        (("{out}", "--methods", "occlusion"), ("--methods: occlusion", "is not in this run")),
        (("{out}", "--methods", "gradcan"), ("did you mean 'gradcam'?",)),
        (("{out}", "--images", "1"), ("--images 1: at least 4",)),
        (("{out}", "--models", "pond"), ("--models goes with --shortcut only",)),
        (("--shortcut", "--checks", "randomization"), ("--checks goes with a finished run only",)),
    ],
)
def test_a_users_mistake_is_one_line(finished, call, arguments, parts):
    code, _, err = call("diagnose", *(each.format(out=finished) for each in arguments))
    assert (code, err.count("\n")) == (2, 1)
    assert all(part in err for part in parts), err


def test_a_damaged_model_is_refused_and_not_trained_again(finished, tmp_path):
    out = shutil.copytree(finished, tmp_path / "copy")
    (stored,) = out.rglob("model.pt")
    stored.write_bytes(b"damaged")
    with pytest.raises(XaibenchError, match="repeat the run's command first"):
        diagnose(out)
    assert stored.read_bytes() == b"damaged"


def test_twins_are_trained_once_and_judged_only_where_they_use_the_marker(
    plugin_file, tmp_path, monkeypatch
):
    given = {"models": "pond", "methods": "gradcam", "images": 4, "device": "cpu"}
    given["plugin"] = (str(plugin_file),)
    frame = diagnose_shortcut(tmp_path, **given)
    stored = sorted((tmp_path / "twins").iterdir())
    assert [path.name for path in stored] == ["pond-0.5.pt", "pond-1.0.pt"]
    use = frame[frame["stage"] == "classifier"].iloc[0]
    relies = use["accuracy_telling"] >= 0.9 and use["accuracy_lying"] <= 0.5
    judged = frame[frame["verdict"] != ""]
    assert set(judged["method"]) >= {"gradcam", "sobel", "center"}
    if not relies:
        assert set(judged["verdict"]) == {"undecided"}
        assert judged["why"].str.contains("doesn't clearly use the marker").all()
    monkeypatch.setattr(twins, "_train", None)  # a second call would fail if it trained
    again = diagnose_shortcut(tmp_path, **given)
    pd.testing.assert_frame_equal(frame, again)
