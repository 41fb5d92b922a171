"""Whole studies on tiny networks: their numbers, and that they go on where they stopped."""

from threading import Thread

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from xaibench.core.errors import XaibenchError
from xaibench.running.locks import settled
from xaibench.studies.run import plan_study, run_study

UNIT = ["fold", "seed", "sample"]


def table_of(out):
    texts = dict.fromkeys(("method", "level", "against"), str)
    table = pd.read_csv(out / "study.csv", dtype=texts)
    return table.fillna(dict.fromkeys(texts, ""))


def line(table, metric, method, level, series=None, kind="arm"):
    chosen = table[(table["metric"] == metric) & (table["method"] == method)
                   & (table["level"] == level) & (table["kind"] == kind)]  # fmt: skip
    if series:
        chosen = chosen[chosen["series"] == series]
    (row,) = chosen.to_dict("records")
    return row


def right(out, point, model):
    found = pd.read_csv(out / point / "predictions.csv")
    found = found[found["model"] == model].set_index(UNIT)
    return (found["label"] == found["prediction"]).astype(float)


def scores(out, point, model, method):
    found = pd.read_csv(out / point / "scores.csv")
    found = found[(found["model"] == model) & (found["method"] == method)]
    return found[found["metric"] == "iou"].set_index(UNIT)["value"]


def made(out):
    """When each trained network and each cell was finished."""
    found = [*out.rglob("model.pt"), *out.rglob("cell.json")]
    return {str(path.relative_to(out)): path.stat().st_mtime_ns for path in found}


@pytest.mark.slow
def test_mask_fraction_compares_each_fraction_with_none_on_the_same_network(finished):
    """And the network without masks with the baseline: a head of its own changes it, too."""
    table = table_of(finished)
    base, none = right(finished, "baseline", "mini"), right(finished, "0", "aware")
    for level, other, named in (("0", base, "mini, baseline"), ("1", none, "0")):
        mine = right(finished, level, "aware")
        row = line(table, "accuracy", "", level)
        assert len(mine) == row["n"] == 12  # 6 test images, 2 seeds
        assert row["groups"] == 6
        assert row["value"] == pytest.approx(mine.mean())
        assert row["difference"] == pytest.approx((mine - other).mean())
        assert row["against"] == named
        assert row["difference_low"] <= row["difference"] <= row["difference_high"]
        assert row["p"] <= row["p_holm"] <= 1
    assert line(table, "accuracy", "", "baseline")["value"] == pytest.approx(base.mean())


def test_supervision_trains_what_learns_from_masks_at_each_share_and_all_others_once(given):
    planned = plan_study("supervision", ("0.5", "0.25"), {**given, "methods": ("gradcam", "spn")})
    asked = {
        point.name: ([m.spec for m in chosen.models], [m.spec for m in chosen.methods])
        for point, chosen, _ in planned.runs
    }
    assert asked == {
        "0": (["mini", "aware"], ["gradcam"]),
        "0.25": (["aware"], ["gradcam", "spn"]),
        "0.5": (["aware"], ["gradcam", "spn"]),
    }
    against = {arm.key: arm.against for arm in planned.design.arms}
    assert against["0.25/aware"] == ("0/aware",)
    assert planned.seconds["mask"] == 79
    with pytest.raises(XaibenchError, match="learns nothing from a share"):
        plan_study("supervision", (), {**given, "models": ("mini",)})
    with pytest.raises(XaibenchError, match="--effort: study filters"):
        plan_study("filters", (), given, "mask=3")


@pytest.mark.slow
def test_supervision_leaves_its_front_and_its_curves(given, tmp_path):
    options = {**given, "out": str(tmp_path / "out"), "methods": ("gradcam", "spn")}
    outcome = run_study(plan_study("supervision", ("0.25", "0.5", "1"), options), "a test")
    assert not outcome.failures
    rows = pd.read_csv(tmp_path / "out" / "frontier.csv")
    assert rows.groupby("level")["annotated"].max().is_monotonic_increasing
    assert set(rows["origin"]) == {"post-hoc", "learned"}
    curves = pd.read_csv(tmp_path / "out" / "budgets.csv")
    assert set(curves["method"]) == {"gradcam", "spn"}
    assert any("post-hoc row" in answer for answer in outcome.answers)


@pytest.mark.slow
def test_learned_maps_are_compared_with_those_without_masks(finished):
    table = table_of(finished)
    none, all_ = (scores(finished, level, "aware", "spn") for level in ("0", "1"))
    row = line(table, "iou", "spn", "1")
    assert row["against"] == "0"
    assert row["difference"] == pytest.approx((all_ - none).mean())
    assert row["value"] == pytest.approx(all_.mean())
    cam = line(table, "iou", "gradcam", "1")
    gap = scores(finished, "1", "aware", "gradcam") - scores(finished, "0", "aware", "gradcam")
    assert cam["against"] == "0"
    assert cam["difference"] == pytest.approx(gap.mean())


@pytest.mark.slow
def test_the_baseline_is_trained_once_and_fractions_see_their_masks(finished):
    models = {path.relative_to(finished).parts[0]: path.parts[-3]
              for path in finished.rglob("model.pt")}  # fmt: skip
    assert models == {"baseline": "mini", "0": "aware", "1": "aware"}
    splits = {point: pd.read_csv(finished / point / "splits" / "holdout.csv") for point in models}
    seen = {point: split["mask_seen"].sum() for point, split in splits.items()}
    assert seen["0"] == 0
    assert seen["1"] == (splits["1"]["part"] != "test").sum()
    parts = [dict(zip(split["sample"], split["part"], strict=True)) for split in splits.values()]
    assert parts[0] == parts[1] == parts[2]


@pytest.mark.slow
def test_the_same_command_again_computes_nothing(copy, call, arguments):
    before, table = made(copy), (copy / "study.csv").read_bytes()
    words = arguments(out=copy)
    code, out, err = call("study", "mask-fraction", "--values", "0,1", *words)
    assert code == 0, err
    assert made(copy) == before
    assert (copy / "study.csv").read_bytes() == table
    assert "**iou of spn**, `aware`: against 0, " in out
    assert "epoch" not in err


@pytest.mark.slow
def test_a_stopped_study_goes_on(finished, tmp_path, call, arguments, monkeypatch):
    words = ["study", "mask-fraction", "--values", "0,1", *arguments(out=tmp_path)]
    monkeypatch.setenv("FAULT", "stop")  # as soon as all masks of a batch are seen
    code, _, err = call(*words)
    assert (code, "goes on from here" in err) == (130, True)
    before = made(tmp_path)
    assert {name.split("/")[0] for name in before} == {"baseline", "0"}
    assert not (tmp_path / "study.csv").exists()
    monkeypatch.delenv("FAULT")
    assert call(*words)[0] == 0
    after = made(tmp_path)
    assert {name: after[name] for name in before} == before
    pd.testing.assert_frame_equal(table_of(tmp_path), table_of(finished))


@pytest.mark.slow
def test_a_run_that_fails_costs_itself_only(copy, call, arguments, monkeypatch):
    shorter = arguments(out=copy, epochs=1, seeds=(0,))
    words = ["study", "mask-fraction", "--values", "0,0.5,1", *shorter]
    monkeypatch.setenv("FAULT", "fail")
    code, _, err = call(*words)
    assert code == 3
    assert "failed: 1: out of luck" in err
    assert "- 1: out of luck" in (copy / "study.md").read_text("utf-8")
    # The folder still holds the scores of the longer training: other options, another network.
    assert set(table_of(copy)["level"]) == {"baseline", "0", "0.5"}
    monkeypatch.delenv("FAULT")
    code, _, err = call(*words)
    assert code == 0, err
    assert set(table_of(copy)["level"]) == {"baseline", "0", "0.5", "1", "0 to 1"}


def test_a_study_of_learned_maps_alone_still_has_a_baseline(given, tmp_path):
    options = {**given, "methods": ("spn",), "out": str(tmp_path)}
    planned = plan_study("mask-fraction", ("0", "1"), options)
    methods = {point.name: [m.spec for m in selection.methods]
               for point, selection, _ in planned.runs}  # fmt: skip
    assert methods == {"baseline": ["gradcam"], "0": ["spn"], "1": ["spn"]}


def test_without_a_baseline_no_masks_are_what_counts(given):
    planned = plan_study("mask-fraction", (), {**given, "models": ("aware",)})
    points = [point.name for point, *_ in planned.runs]
    assert points == ["0", "0.05", "0.1", "0.25", "0.5", "1"]
    assert {arm.against for arm in planned.design.arms} == {("", "0/aware"), ("0/aware", "")}
    assert str(planned.out) == "results/study-mask-fraction-phantom-images=60"


@pytest.mark.slow
def test_dataset_size_keeps_the_test_images(given, tmp_path):
    options = {**given, "models": ("mini",), "methods": ("gradcam",), "out": str(tmp_path)}
    planned = plan_study("dataset-size", ("1", "0.25"), options)
    sizes = {point.name: len(selection.split(0).train) for point, selection, _ in planned.runs}
    assert sizes == {"0.25": 12, "1": 48}
    run_study(planned, "a test")
    row = line(table_of(tmp_path), "accuracy", "", "0.25")
    gap = right(tmp_path, "0.25", "mini") - right(tmp_path, "1", "mini")
    assert (row["against"], row["difference"]) == ("1", pytest.approx(gap.mean()))
    assert row["n"] == 12


@pytest.mark.slow
def test_loss_averages_over_the_other_factors(given, tmp_path):
    options = {**given, "models": ("aware",), "metrics": ("iou", "artifacts"), "seeds": (0,),
               "out": str(tmp_path)}  # fmt: skip
    values = ("l2", "l1", "bilinear", "nearest", "5")
    planned = plan_study("loss", values, options)
    assert [arm.level for arm in planned.design.arms] == [
        "l2, bilinear, 5", "l2, nearest, 5", "l1, bilinear, 5", "l1, nearest, 5",
    ]  # fmt: skip
    outcome = run_study(planned, "a test")
    table = table_of(tmp_path)
    models = {arm.level: arm.model for arm in planned.design.arms}
    assert models["l1, bilinear, 5"] == "aware[loss=l1,upsampling=bilinear]"
    found = {level: scores(tmp_path, "run", model, "spn") for level, model in models.items()}
    means = {loss: (found[f"{loss}, bilinear, 5"] + found[f"{loss}, nearest, 5"]) / 2
             for loss in ("l1", "l2")}  # fmt: skip
    row = line(table, "iou", "spn", "l1", kind="factor")
    assert row["value"] == pytest.approx(means["l1"].mean())
    assert row["difference"] == pytest.approx((means["l1"] - means["l2"]).mean())
    assert (row["series"], row["against"]) == ("loss", "l2")
    assert set(table[table["kind"] == "factor"]["series"]) == {"loss", "upsampling"}
    assert not (table["kind"] == "trend").any()
    blocky = line(table, "artifacts", "spn", "nearest", kind="factor")
    assert blocky["difference"] > 0
    assert [text for text in outcome.answers if text.startswith("**artifacts of spn**: ")]


@pytest.mark.slow
def test_filters_compares_with_the_first(given, tmp_path):
    options = {**given, "models": ("mini",), "seeds": (0,), "out": str(tmp_path)}
    planned = plan_study("filters", ("3-4", "8-8"), options)
    run_study(planned, "a test")
    row = line(table_of(tmp_path), "accuracy", "", "8-8")
    gap = (right(tmp_path, "run", "mini[filters=8-8]")
           - right(tmp_path, "run", "mini[filters=3-4]"))  # fmt: skip
    assert (row["against"], row["difference"]) == ("3-4", pytest.approx(gap.mean()))
    said = pd.read_csv(tmp_path / "run" / "predictions.csv")
    said = said[said["model"] == "mini[filters=8-8]"]
    true = [line[f"confidence_{line['label']}"] for line in said.to_dict("records")]
    loss = line(table_of(tmp_path), "loss", "", "8-8")
    assert loss["value"] == pytest.approx(-np.log(true).mean(), rel=1e-6)
    assert "## loss ↓" in (tmp_path / "study.md").read_text("utf-8")
    for name in ("study.png", "run/leaderboard.csv"):
        assert (tmp_path / name).exists() == (name == "study.png")
    pixels = np.asarray(Image.open(tmp_path / "study.png").convert("L"))
    assert pixels.shape[1] > pixels.shape[0] > 300
    assert (pixels < 128).mean() > 0.001
    assert b"<svg" in (tmp_path / "study.svg").read_bytes()


def test_recipe_varies_one_option_of_training(given, tmp_path):
    options = {**given, "models": ("mini", "aware"), "out": str(tmp_path)}
    values = ("augmentation=none", "rotation:20+horizontal_flip")
    planned = plan_study("recipe", values, options)
    trained = [selection.options.augmentation for _, selection, _ in planned.runs]
    assert trained == [("none",), ("rotation:20", "horizontal_flip")]
    first, second, third, fourth = planned.design.arms
    assert (second.series, second.level, second.against) == ("mini", values[1], (first.key,))
    assert (fourth.series, fourth.against) == ("aware", (third.key,))
    sizes = plan_study("recipe", ("batch=4", "batch=8"), options).runs
    assert [selection.options.train_batch_size for _, selection, _ in sizes] == [4, 8]


@pytest.mark.parametrize(
    ("name", "values", "changed", "said"),
    [
        ("mask-fractions", "", {}, "did you mean 'mask-fraction'"),
        ("mask-fraction", "0,1.5", {}, "--values 1.5: write shares from 0 to 1"),
        ("mask-fraction", "0,many", {}, "--values many: write shares"),
        ("mask-fraction", "0.5,.5", {}, "repeats a share"),
        ("mask-fraction", "0,1", {"mask_fraction": 0.5}, "--mask-fraction: study mask-fraction "),
        ("mask-fraction", "0,1", {"models": ("mini",)}, "learns nothing from masks"),
        ("mask-fraction", "0", {"models": ("aware",)}, "name two at least"),
        ("dataset-size", "0,1", {}, "--values 0: write shares above 0"),
        ("dataset-size", "1", {"models": ("mini",)}, "name two at least"),
        ("dataset-size", "", {"train_fraction": 0.5}, "--train-fraction: study dataset-size"),
        ("loss", "l1,dise", {}, "--values dise: there is no such level (did you mean 'dice'"),
        ("loss", "l1,l1", {}, "repeats l1"),
        ("loss", "dice,l1", {}, "loss=dice]: choose one of l1, l2, bce"),
        ("loss", "l1,l2", {"models": ("mini",)}, "names no model with such options"),
        ("recipe", "", {}, "write --values OPTION=VALUE"),
        ("recipe", "augment=none,crop", {}, "did you mean 'augmentation'"),
        ("recipe", "batch=4,optimizer=sgd", {}, "varies batch alone"),
        ("recipe", "epochs=1,2", {}, "--epochs: study recipe sweeps it"),
        ("recipe", "batch=4,four", {}, "--train-batch-size four: not a whole number"),
        ("filters", "4-4,4-4", {}, "repeats a value"),
        ("filters", "4-4,wide", {}, "mini[filters=wide] could not be built"),
        ("filters", "4-4,8-8", {"models": ("aware",)}, "varies 'filters'"),
    ],
)
def test_mistakes_are_told(name, values, changed, said, call, arguments, tmp_path):
    words = arguments(out=tmp_path / "out", **changed)
    code, _, err = call("study", name, "--values", values, *words)
    assert code == 2
    assert said in err.replace("?", "")
    assert len(err.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_dry_run_leaves_nothing(call, arguments, tmp_path):
    words = arguments(out=tmp_path / "out")
    code, out, _ = call("study", "mask-fraction", "--values", "0,1", *words, "--dry-run")
    assert code == 0
    assert "estimated time" in out
    assert out.count("models to train: 2") == 3
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_study_waits_while_another_writes_into_its_folder(copy, given):
    planned = plan_study("mask-fraction", ("0", "1"), {**given, "out": str(copy)})
    (copy / "study.csv").unlink()
    waiting = Thread(target=run_study, args=(planned, "a test"))
    with settled(copy):
        waiting.start()
        waiting.join(1)
        assert waiting.is_alive()
        assert not (copy / "study.csv").exists()
    waiting.join()
    assert (copy / "study.csv").is_file()
