import json
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch.nn.functional import interpolate

import xaibench
from xaibench.core import fingerprints, registry
from xaibench.core.fingerprints import fingerprint
from xaibench.core.passes import processor
from xaibench.running.plan import make_plan
from xaibench.running.run_record import describe_protocol
from xaibench.setup.selection import control_plugins, select

COLUMNS = "dataset,split,fold,model,seed,method,sample,metric,value,status,target"


def rows_of(out):
    return sorted((out / "scores.csv").read_text("utf-8").splitlines()[1:])


def stamps(out, *names):
    """Identity, time and content of stored files: none changes unless something is computed."""
    paths = sorted(path for name in names for path in out.rglob(name))
    assert paths
    return {
        path: (path.stat().st_ino, path.stat().st_mtime_ns, path.read_bytes()) for path in paths
    }


def leftovers(out):
    return [path for path in out.rglob("*") if path.name.endswith((".tmp", "checkpoint.pt"))]


def cell(out, model, method, *, fold="kfold-2-fold0", seed=0):
    return out / "cells/phantom-images=48" / fold / model / f"seed{seed}" / method


def model_folder(out, model, *, fold="kfold-2-fold0", seed=0):
    return out / "models/phantom-images=48" / fold / model / f"seed{seed}"


def predictions_of(out, model, **where):
    path = model_folder(out, model, **where) / "predictions.csv"
    return pd.read_csv(path, dtype={"sample": str}).set_index("sample")


def wrong_ones(predictions):
    return set(predictions.index[predictions["label"] != predictions["prediction"]])


def stored_keys(path):
    with np.load(path) as maps:
        return set(maps.files)


@pytest.fixture
def one_model(settings, finished_copy):
    """Options of one model and one seed of the finished run, and the rows of their scores."""
    rows = [row for row in rows_of(finished_copy) if ",pocket,0," in row]
    return {**settings, "models": ("pocket",), "seeds": (0,)}, rows


def test_a_finished_run_leaves_every_file(finished_run):
    out = finished_run.out
    for name in ("run.json", "scores.csv", "predictions.csv", "classification.csv",
                 "leaderboard.csv", "leaderboard.md", "report.html", "grid.png",
                 "figures/training.svg", "splits/kfold-2-fold0.csv",
                 "splits/kfold-2-fold1.csv"):  # fmt: skip
        assert (out / name).stat().st_size > 0, name
    for name in ("model.pt", "model.json", "history.csv", "predictions.csv"):
        assert (model_folder(out, "pocket_saliency", fold="kfold-2-fold1", seed=1) / name).is_file()
    for name in ("maps.npz", "scores.csv", "cell.json"):
        assert (cell(out, "pocket", "gradcam") / name).is_file()
    assert leftovers(out) == []
    assert finished_run.failures == {}


def test_run_json_says_how_to_repeat_the_run(finished_run, settings, monkeypatch):
    monkeypatch.setattr(processor, "_capabilities", dict)  # of one that refuses no bfloat16
    run = json.loads((finished_run.out / "run.json").read_text("utf-8"))
    again = {**run["options"], "out": str(finished_run.out)}
    options = select(again).options.as_dict()
    assert {name: options[name] for name in settings} == settings
    assert run["seeds"] == [0, 1]
    assert run["protocol_hash"] == fingerprint(run["protocol"])
    for change in (
        {"precision": "bf16"}, {"train_precision": "fp32"}, {"fold": False}, {"layer": "1"},
        {"image_size": 64},
    ):  # fmt: skip
        changed = select(again | change)
        protocol = describe_protocol(changed, make_plan(changed))
        assert fingerprint(protocol) != run["protocol_hash"], change
    assert torch.__version__.startswith(run["versions"]["torch"])
    assert run["command"]
    assert set(run["splits"]) == {"kfold-2-fold0.csv", "kfold-2-fold1.csv"}


def test_scores_are_one_row_for_each_sample_metric_and_cell(finished_run, settings):
    lines = (finished_run.out / "scores.csv").read_text("utf-8").splitlines()
    assert lines[0] == COLUMNS
    scores = pd.read_csv(finished_run.out / "scores.csv")
    keys = COLUMNS.split(",")[:-3]
    assert not scores.duplicated(keys).any()
    methods = 2 * (1 + len(control_plugins())) + 1
    # Each of the 48 images is tested in one of the two folds, under each of the two seeds.
    assert len(scores) == 48 * 2 * methods * len(settings["metrics"])
    assert scores["value"].notna().all()


def test_each_sample_is_tested_once_and_parts_are_disjoint(finished_run):
    files = [pd.read_csv(path) for path in sorted((finished_run.out / "splits").iterdir())]
    tested = pd.concat([frame[frame["part"] == "test"] for frame in files])
    assert len(tested) == tested["sample"].nunique() == 48
    for frame in files:
        assert sorted(frame["sample"]) == sorted(tested["sample"])
    one_cell = finished_run.scores.query("method == 'gradcam' and model == 'pocket' and seed == 1")
    assert sorted(one_cell.query("metric == 'iou'")["sample"]) == sorted(tested["sample"])


def test_seeds_share_the_split_and_differ_in_weights(finished_run):
    first, second = (
        torch.load(model_folder(finished_run.out, "pocket", seed=seed) / "model.pt")
        for seed in (0, 1)
    )
    assert any(not torch.equal(first[name], second[name]) for name in first)
    by_seed = finished_run.scores.groupby("seed")
    assert by_seed.size().loc[0] == by_seed.size().loc[1]
    assert len(finished_run.scores.groupby(["sample", "fold"])) == 48


@pytest.mark.slow
def test_the_same_command_again_recomputes_nothing(settings, finished_copy, run_cells):
    before = stamps(finished_copy, "model.pt", "maps.npz", "cell.json", "predictions.csv")
    table = rows_of(finished_copy)
    run_cells(settings, finished_copy)
    kept = {
        path: stamp
        for path, stamp in stamps(
            finished_copy, "model.pt", "maps.npz", "cell.json", "predictions.csv"
        ).items()
        if path.parent != finished_copy  # the gathered predictions.csv is written again
    }
    assert kept.items() <= before.items()
    assert len(kept) == len(before) - 1
    assert rows_of(finished_copy) == table


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 3, 16])
def test_batch_size_and_order_of_methods_change_no_byte(settings, finished_copy, run_cells, size):
    expected = [row for row in rows_of(finished_copy) if row.split(",")[4] == "1"]
    shutil.rmtree(finished_copy / "cells")
    backwards = settings["methods"][::-1]
    run_cells(settings, finished_copy, batch_size=size, methods=backwards, seeds=(1,))
    assert rows_of(finished_copy) == expected


@pytest.fixture
def _threads_restored():
    yield
    torch.set_num_threads(1)


@pytest.mark.full
@pytest.mark.usefixtures("_threads_restored")
def test_batch_size_changes_no_byte_of_a_real_network(small, run_cells, tmp_path):
    real = {"models": ("saliency_net[backbone=mobilenet_v3_small]",), "epochs": 1,
            "methods": ("gradcam", "spn"), "image_size": 64}  # fmt: skip
    for threads in (1, 2):
        torch.set_num_threads(threads)
        tables = []
        for size in (16, 3):
            run_cells(small, tmp_path, **real, batch_size=size)
            tables.append(rows_of(tmp_path))
            shutil.rmtree(tmp_path / "cells")
        assert len(tables[0]) == 2 * 5 * len(small["metrics"])
        assert tables[0] == tables[1]


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes_in_another_folder(
    settings, finished_run, run_cells, tmp_path
):
    run_cells(settings, tmp_path, models=("pocket_saliency",), seeds=(1,))
    mine = [row for row in rows_of(finished_run.out) if ",pocket_saliency,1," in row]
    assert rows_of(tmp_path) == mine


@pytest.mark.slow
def test_a_new_metric_recomputes_no_map(one_model, finished_copy, run_cells):
    given, old = one_model
    before = stamps(finished_copy, "model.pt", "maps.npz")
    run_cells(given, finished_copy, metrics=(*given["metrics"], "iou_area"))
    assert stamps(finished_copy, "model.pt", "maps.npz") == before
    new = set(rows_of(finished_copy)) - set(old)
    assert set(old) <= set(rows_of(finished_copy))
    assert len(new) * len(given["metrics"]) == len(old)
    assert all(",iou_area," in row for row in new)


def test_two_kinds_of_target_share_a_map_where_they_agree(finished_run):
    mixed = 0
    for model, method in (("pocket", "gradcam"), ("pocket_saliency", "spn")):
        for seed in (0, 1):
            predictions = predictions_of(finished_run.out, model, seed=seed)
            wrong = wrong_ones(predictions)
            mixed += 0 < len(wrong) < len(predictions)
            path = cell(finished_run.out, model, method, seed=seed) / "maps.npz"
            expected = {f"label/{name}" for name in predictions.index}
            assert stored_keys(path) == expected | {f"predicted/{name}" for name in wrong}
    assert mixed, "the shared run must hold right and wrong predictions to show anything"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["label", "predicted"])
def test_a_chosen_target_explains_nothing_else(small, run_cells, tmp_path, kind):
    run_cells(small, tmp_path, target=kind, split="kfold:2")
    keys = stored_keys(cell(tmp_path, "pocket", "gradcam") / "maps.npz")
    assert keys == {f"{kind}/{name}" for name in predictions_of(tmp_path, "pocket").index}


def test_scores_follow_by_hand_from_stored_maps(finished_run, settings):
    """Localization explains the label, faithfulness the prediction: each on its own map."""
    out = finished_run.out
    selection = select({**settings, "out": str(out)})
    model = selection.build(selection.model("pocket"), 0).eval()
    model.load_state_dict(torch.load(model_folder(out, "pocket") / "model.pt"))
    predictions = predictions_of(out, "pocket")
    scores = finished_run.scores.query(
        "fold == 0 and seed == 0 and model == 'pocket' and method == 'gradcam'"
    )
    values = scores.set_index(["sample", "metric"])["value"]
    samples = {sample.id: sample for sample in selection.dataset.samples}
    with np.load(cell(out, "pocket", "gradcam") / "maps.npz") as stored:
        for name, said in predictions.iterrows():
            picture = selection.dataset.read(samples[name])
            small_mask = Image.fromarray(picture.mask.astype(np.uint8)).resize(
                (32, 32), Image.Resampling.NEAREST
            )
            truth = np.asarray(small_mask) > 0
            map_ = by_hand(stored[f"label/{name}"])
            marked = (map_ >= 0.5 * map_.max()) & (map_.max() > 0)
            iou = (marked & truth).sum() / (marked | truth).sum()
            peaks = map_ == map_.max()
            assert values[name, "iou"] == pytest.approx(iou, abs=1e-6)
            assert values[name, "hit_rate"] == pytest.approx(truth[peaks].mean(), abs=1e-6)

            key = f"predicted/{name}"
            map_ = by_hand(stored[key if key in stored.files else f"label/{name}"])
            image = np.asarray(
                Image.fromarray(picture.image).resize((32, 32), Image.Resampling.BILINEAR)
            )
            pixels = torch.from_numpy(image / 255).float().permute(2, 0, 1)
            with torch.no_grad():
                both = torch.stack([pixels, pixels * torch.from_numpy(map_)])
                before, after = model(both).softmax(dim=1)[:, int(said["prediction"])].tolist()
            drop = max(0, before - after) / before
            assert values[name, "drop_in_confidence"] == pytest.approx(drop, abs=1e-5)


def by_hand(raw):
    positive = torch.from_numpy(raw).clamp(min=0)[None, None]
    large = interpolate(positive, (32, 32), mode="bilinear", align_corners=False)[0, 0].numpy()
    span = large.max() - large.min()
    return (large - large.min()) / span if span > 0 else np.zeros_like(large)


@pytest.mark.parametrize("fault", ["raise", pytest.param("shape", marks=pytest.mark.slow)])
def test_a_failing_method_spoils_its_own_cell_only_and_is_retried(
    small, run_cells, tmp_path, monkeypatch, fault
):
    given = {**small, "methods": ("flaky", "gradcam"), "split": "kfold:2", "target": "label"}
    monkeypatch.setenv("FLAKY", fault)
    failures = run_cells(given, tmp_path).failures
    reason = {
        "raise": "RuntimeError('out of luck')",
        "shape": "method flaky returned (8, 32) for 8 images; it must return (8, h, w).",
    }[fault]
    assert failures == {f"flaky on pocket, fold {fold}, seed 0": reason for fold in (0, 1)}
    assert {row.split(",")[5] for row in rows_of(tmp_path)} == {"gradcam"}
    assert not (cell(tmp_path, "pocket", "flaky") / "maps.npz").exists()
    assert leftovers(tmp_path) == []
    assert list(tmp_path.rglob("failure.json")) == []  # the cell's own record tells it

    kept = stamps(tmp_path, "model.pt", "gradcam/cell.json", "gradcam/maps.npz")
    monkeypatch.delenv("FLAKY")
    assert run_cells(given, tmp_path).failures == failures  # nothing has changed: not asked again
    assert run_cells(given, tmp_path, retry_failed=True).failures == {}
    assert len(rows_of(tmp_path)) == 2 * 48 * len(small["metrics"])
    assert stamps(tmp_path, "model.pt", "gradcam/cell.json", "gradcam/maps.npz") == kept
    assert "error" not in json.loads((cell(tmp_path, "pocket", "flaky") / "cell.json").read_text())


def test_a_map_that_is_not_finite_is_marked_and_kept(small, run_cells, tmp_path, monkeypatch):
    monkeypatch.setenv("FLAKY", "nan")
    given = {**small, "methods": ("flaky",), "split": "kfold:2", "target": "label"}
    assert run_cells(given, tmp_path).failures == {}
    scores = pd.read_csv(tmp_path / "scores.csv")
    marked = scores[scores["status"] == "non-finite map"]
    # The last 8 of each fold's 24 images.
    assert len(marked) == 2 * 8 * len(small["metrics"])
    assert (marked.query("metric == 'iou'")["value"] == 0).all()
    assert (scores.drop(marked.index)["status"] == "ok").all()


@pytest.mark.slow
def test_a_failing_new_metric_keeps_earlier_scores(
    one_model, finished_copy, run_cells, monkeypatch
):
    given, before = one_model
    maps = stamps(finished_copy, "maps.npz", "model.pt")
    monkeypatch.setenv("BRITTLE", "1")
    with_peak = {"metrics": (*given["metrics"], "peak")}
    failures = run_cells(given, finished_copy, **with_peak).failures
    reason = "metric peak failed: ValueError('snapped')"
    assert failures["peak of gradcam on pocket, fold 1, seed 0"] == reason
    assert rows_of(finished_copy) == before

    monkeypatch.delenv("BRITTLE")
    assert run_cells(given, finished_copy, **with_peak, retry_failed=True).failures == {}
    assert set(before) < set(rows_of(finished_copy))
    assert stamps(finished_copy, "maps.npz", "model.pt") == maps


@pytest.mark.slow
def test_a_model_that_comes_out_differently_takes_its_maps_with_it(
    small, run_cells, tmp_path, monkeypatch
):
    """As on a GPU, where a lost model is never trained to the same bits again."""
    run_cells(small, tmp_path / "a")
    shutil.rmtree(tmp_path / "a/models")
    monkeypatch.setenv("POCKET_SCALE", "-5")
    for out in ("a", "b"):
        run_cells(small, tmp_path / out)
    assert rows_of(tmp_path / "a") == rows_of(tmp_path / "b")


@pytest.mark.slow
def test_a_method_that_fails_after_the_split_changed_leaves_a_hole_in_the_grid(
    small, tmp_path, monkeypatch
):
    given = {**small, "methods": ("flaky", "gradcam"), "split": "kfold:2", "out": str(tmp_path)}
    xaibench.run(**given)
    picture = (tmp_path / "grid.png").read_bytes()
    monkeypatch.setenv("FLAKY", "raise")
    results = xaibench.run(**{**given, "split_seed": 1})
    assert results.failures
    assert (tmp_path / "grid.png").read_bytes() != picture


def test_training_that_diverges_is_told(small, run_cells, tmp_path, monkeypatch):
    monkeypatch.setenv("POCKET_SCALE", "nan")
    with pytest.raises(xaibench.XaibenchError, match="never finite; lower --learning-rate"):
        run_cells(small, tmp_path)


def test_an_edit_of_a_methods_code_makes_its_cell_again_but_a_comment_does_not(
    small, plan_of, run_cells, tmp_path
):
    path = tmp_path / "tint.py"
    code = "import xaibench\n\n@xaibench.method()\ndef tint(images):\n    {}return images[:, {}]\n"
    given = {**small, "plugin": (*small["plugin"], str(path)), "methods": ("gradcam", "tint")}

    def edit(*parts):
        path.write_text(code.format(*parts), "utf-8")
        registry._loaded_files.discard(path.resolve())
        fingerprints._read.cache_clear()
        fingerprints.code_of.cache_clear()

    edit("", 0)
    run_cells(given, tmp_path / "out")
    edit("# Red.\n    ", 0)
    assert plan_of(given, tmp_path / "out").jobs == []
    edit("", 1)
    assert [job.methods for job in plan_of(given, tmp_path / "out").jobs] == [("tint",)]
