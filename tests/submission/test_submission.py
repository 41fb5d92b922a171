"""Maps that someone else made."""

import io
import json
import os
import zipfile

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner

from xaibench.cli import cli
from xaibench.core.errors import XaibenchError
from xaibench.core.registry import load_plugin_file
from xaibench.core.store import read_json
from xaibench.report.facts.material import read_material
from xaibench.report.judging.chapter import judge_all
from xaibench.report.write import write_tables
from xaibench.setup.selection import select
from xaibench.submission.file import MapsFile
from xaibench.submission.score import score_submission
from xaibench.submission.setting import setting_of_options, setting_of_run

ROW = ["dataset", "split", "fold", "model", "seed", "sample", "metric", "value", "status"]
MAPS = "cells/phantom-images=48/kfold-2-fold{fold}/{model}/seed{seed}/{method}/maps.npz"


@pytest.fixture(scope="module", autouse=True)
def _plugins(plugin_file):
    load_plugin_file(plugin_file)


@pytest.fixture
def save(tmp_path):
    def write(maps, name="mine", **about):
        path = tmp_path / f"{name}.npz"
        told = {"about": np.array(json.dumps(about))} if about else {}
        np.savez_compressed(path, **maps, **told)
        return path

    return write


@pytest.fixture
def score(finished_run, tmp_path):
    """Score under the finished run's protocol."""

    def run(path, *, model="", seed=None, fold=None, directory=None, allow_missing=False, **said):
        out = tmp_path / f"scored-{len(list(tmp_path.iterdir()))}"
        setting = setting_of_run(
            directory or finished_run.out, model, seed, fold, {"out": str(out)}
        )
        return score_submission(setting, path, said, "a test", allow_missing=allow_missing)

    return run


def cell_maps(run, method, model, seed):
    """All maps of a method, of both folds together."""
    found = {}
    for fold in (0, 1):
        path = run.out / MAPS.format(fold=fold, model=model, seed=seed, method=method)
        with np.load(path) as maps:
            found |= {key: maps[key] for key in maps.files}
    return found


def board_of(out):
    """Write the tables, and no pictures."""
    contents = judge_all(read_material(out), out)
    write_tables(contents, out)
    return contents.board


def rows_of(out, **chosen):
    """Rows as text, so that equal means the same bits."""
    frame = pd.read_csv(out / "scores.csv", dtype=str, keep_default_na=False)
    for column, value in chosen.items():
        frame = frame[frame[column] == value]
    return frame[ROW].sort_values(ROW).reset_index(drop=True)


def labels_only(run, **where):
    found = cell_maps(run, "gradcam", "pocket", 0)
    return {key.removeprefix("label/"): m for key, m in found.items() if key.startswith("label/")}


@pytest.mark.parametrize(
    ("method", "model", "said"),
    [
        ("gradcam", "pocket", {}),
        ("spn", "pocket_saliency", {"rescale": "none", "mask_fraction": 0.25}),
    ],
)
def test_a_runs_own_maps_score_the_same_bits(finished_run, save, score, method, model, said):
    path = save(cell_maps(finished_run, method, model, 1))
    done = score(path, model=model, seed=1, **said)
    mine = rows_of(done.out, method="mine")
    assert mine.equals(rows_of(finished_run.out, method=method, model=model, seed="1"))
    assert set(mine["metric"]) == {"iou", "hit_rate", "drop_in_confidence"}
    assert done.skips == []
    assert len(mine) == 3 * 48


def test_without_a_network_localization_is_the_same_and_faithfulness_skipped(
    finished_run, save, score
):
    done = score(save(labels_only(finished_run)))
    mine = rows_of(done.out).drop(columns="model")
    own = rows_of(finished_run.out, method="gradcam", model="pocket", seed="0")
    own = own[own["metric"] != "drop_in_confidence"].drop(columns="model").reset_index(drop=True)
    assert mine.sort_values([*mine]).equals(own.sort_values([*mine]))
    (skip,) = done.skips
    assert (skip.what, "--model" in skip.reason) == ("drop_in_confidence", True)


def test_the_folder_reads_like_the_runs(finished_run, save, score):
    path = save(cell_maps(finished_run, "gradcam", "pocket", 0), mask_fraction=0.25)
    done = score(path, model="pocket")
    run, own = read_json(done.out / "run.json"), read_json(finished_run.out / "run.json")
    for same in ("protocol", "protocol_hash", "splits", "classes", "metrics"):
        assert run[same] == own[same], same
    assert run["methods"]["mine"]["mask_fraction"] == 0.25
    board = board_of(done.out)
    assert board["kind"].tolist() == ["learned"]
    assert (done.out / "leaderboard.md").is_file()
    assert not (done.out / "models").exists()


def test_what_no_network_said_is_blank_and_reported_as_unknown(finished_run, save, score):
    done = score(save(labels_only(finished_run)))
    board = board_of(done.out)
    assert board["model"].tolist() == ["unstated"]
    assert pd.read_csv(done.out / "classification.csv").empty
    told = pd.read_csv(done.out / "predictions.csv")
    assert told[["prediction", "confidence_0", "confidence_1"]].isna().all(axis=None)
    own = pd.read_csv(finished_run.out / "predictions.csv").query("model == 'pocket' and seed == 0")
    for column in ("sample", "label", "group", "mask_share", "regions"):
        assert told[column].tolist() == own[column].tolist() or told[column].isna().all()


@pytest.mark.slow
def test_neither_order_nor_form_changes_a_score(finished_run, save, score):
    maps = labels_only(finished_run)
    names = list(np.random.default_rng(0).permutation(list(maps)))
    stacked = {"ids": np.array(names), "maps": np.stack([maps[name] for name in names])}
    forms = [maps, {name: maps[name] for name in names}, stacked]
    tables = [(score(save(form)).out / "scores.csv").read_bytes() for form in forms]
    assert tables[0] == tables[1] == tables[2]


@pytest.mark.slow
def test_a_missing_map_shifts_no_other(finished_run, save, score):
    whole = labels_only(finished_run)
    lost = sorted(whole)[5]
    path = save({name: values for name, values in whole.items() if name != lost})
    with pytest.raises(XaibenchError, match=rf"1 of 48 test images have no map \('{lost}'\).*--al"):
        score(path)
    done = score(path, allow_missing=True)
    expected = rows_of(score(save(whole, "whole")).out)
    expected.loc[expected["sample"] == lost, ["value", "status"]] = ["", "no map"]
    found = rows_of(done.out).replace({"value": {"nan": ""}})
    assert found.equals(expected.sort_values(ROW).reset_index(drop=True))
    assert "1 of 48" in done.warnings[0]
    assert board_of(done.out)["iou_undefined"].tolist() == [1]


@pytest.mark.slow
def test_an_error_of_the_network_needs_a_map_of_its_class(finished_run, save, score):
    every = cell_maps(finished_run, "gradcam", "pocket", 0)
    wrong = {key.removeprefix("predicted/") for key in every if key.startswith("predicted/")}
    assert wrong
    path = save(labels_only(finished_run))
    with pytest.raises(XaibenchError, match=rf"{len(wrong)} of 48 .*predicted class.*--explains"):
        score(path, model="pocket")
    found = rows_of(score(path, model="pocket", allow_missing=True).out)
    blank = found[found["status"] == "no map"]
    assert set(blank["sample"]) == wrong
    assert set(blank["metric"]) == {"drop_in_confidence"}
    done = score(path, model="pocket", target="both")
    assert not rows_of(done.out)["status"].eq("no map").any()


def test_maps_of_the_predicted_class_are_no_maps_of_the_label(finished_run, save, score):
    path = save(labels_only(finished_run))
    with pytest.raises(XaibenchError, match=r"no metric can score.*iou.*explain the other"):
        score(path, target="predicted")


@pytest.mark.slow
def test_maps_at_the_images_own_size_are_resized_and_transposed_ones_refused(
    finished_run, save, score, settings
):
    selection = select(settings)
    read = selection.dataset.read
    maps = {sample.id: read(sample).image.mean(axis=2) for sample in selection.split(0).test}
    done = score(save(maps), fold=0)
    assert done.warnings == []
    assert rows_of(done.out)["status"].eq("ok").all()
    first = next(name for name, values in maps.items() if values.shape[1] > 1.2 * len(values))
    tall, wide = maps[first].shape
    for turned in (maps[first].T, np.zeros((2 * wide, 2 * tall))):
        with pytest.raises(XaibenchError, match=rf"'{first}' is .*{tall} high and {wide} wide"):
            score(save(maps | {first: turned}), fold=0)
    strange = score(save(maps | {first: np.eye(9, 40)}), fold=0)
    assert f"proportions of their image nor are they square ('{first}')" in strange.warnings[0]


@pytest.mark.slow
def test_odd_values_are_counted(finished_run, save, score):
    names = sorted(labels_only(finished_run))
    random = np.random.default_rng(0)
    maps = {name: random.random((8, 8)) for name in names}
    hole = maps[names[0]].copy()
    hole[2, 1] = np.nan
    odd = maps | {names[0]: hole, names[1]: np.ones((4, 4)), names[2]: -maps[names[2]]}
    done = score(save(odd))
    said = " ".join(done.warnings)
    assert "1 of 48 maps hold NaN or infinite" in said
    # A constant map, and one of which relu leaves nothing.
    assert "2 of 48 maps are constant after the sign rule relu" in said
    assert "1 of 48 maps hold negative values" in said
    found = rows_of(done.out, metric="iou").set_index("sample")
    assert found.loc[names[0], ["value", "status"]].tolist() == ["0.0", "non-finite map"]
    assert found.loc[names[1], "status"] == "constant map"
    tall = score(save({name: 3 * m for name, m in maps.items()}), rescale="none", mask_fraction=0.5)
    assert "48 of 48 maps leave [0, 1] and are cut to it" in tall.warnings[0]
    assert "seen 50% of the training masks; the protocol's budget is 25%" in tall.warnings[1]


def test_maps_without_any_finite_one_are_refused(finished_run, save, score):
    maps = {name: np.full((8, 8), np.nan) for name in labels_only(finished_run)}
    with pytest.raises(XaibenchError, match="all 48 maps hold NaN or infinite values"):
        score(save(maps))


class Trap:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_pickled_objects_are_never_opened(tmp_path):
    path = tmp_path / "trap.npz"
    payload = np.array([[Trap(str(tmp_path / "sprung"))]], dtype=object)
    np.savez(path, **{"benign/0001": payload})
    with pytest.raises(XaibenchError, match="'benign/0001' is an array of pickled objects"):
        MapsFile(path)
    assert not (tmp_path / "sprung").exists()


def test_a_file_that_lies_about_its_size_is_refused_unread(tmp_path):
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        buffer, {"shape": (1 << 18, 1 << 18), "fortran_order": False, "descr": "<f4"}
    )
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("benign/0001.npy", buffer.getvalue() + bytes(64))
    with pytest.raises(XaibenchError, match="would take 275 GB"):
        MapsFile(path)


def test_damage_is_told_by_its_name(tmp_path):
    path = tmp_path / "damaged.npz"
    np.savez(path, **{"benign/0001": np.zeros((30, 40))})
    whole = path.read_bytes()
    for place in (4000, 90):  # in the numbers, and in the header
        path.write_bytes(whole[:place] + b"(((" + whole[place + 3 :])
        with pytest.raises(XaibenchError, match="'benign/0001' can't be read"):
            MapsFile(path).read("benign/0001")
    with zipfile.ZipFile(path, "w") as archive, zipfile.ZipFile(io.BytesIO(whole)) as sound:
        archive.writestr("benign/0001.npy", sound.read("benign/0001.npy") + bytes(8))
    with pytest.raises(XaibenchError, match="longer than it says"):
        MapsFile(path).read("benign/0001")
    path.write_bytes(whole[:3000])
    with pytest.raises(XaibenchError, match="not an npz file"):
        MapsFile(path)


GOOD = np.ones((3, 4), np.float32)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"bening/0001": GOOD}, r"'bening/0001' is no sample .*did you mean 'benign/0001'"),
        ({"label/x": GOOD, "y": GOOD}, r"'label/x' \(and 1 more keys\) is no sample"),
        ({"benign/0001": GOOD[None]}, r"'benign/0001' is \(1, 3, 4\); a map is \(h, w\)"),
        ({"benign/0001": GOOD[:0]}, r"is \(0, 4\); a map is \(h, w\)"),
        ({"benign/0001": GOOD.astype(int)}, "holds int64, not floating numbers"),
        ({"benign/0001": GOOD.astype(complex)}, "holds complex128, not floating numbers"),
        ({"benign/0001": GOOD, "label/benign/0001": GOOD}, "both explain the label class of"),
        ({"ids": np.array(["a", "a"]), "maps": np.ones((2, 3, 4))}, "names 'a' 2 times"),
        ({"ids": np.array(["a"]), "maps": np.ones((2, 3, 4))}, r"each of the 2 maps, as text"),
        ({"ids": np.array(["a"]), "maps": np.ones((1, 3, 4)), "x": GOOD}, "'x' is beside"),
        ({"about": np.array("{}")}, "holds no map"),
        ({"arr_0": GOOD}, "name the arrays 'ids' and 'maps', or one array for each sample"),
        ({"benign/0001": GOOD, "about": np.array("{")}, "is no JSON"),
        ({"benign/0001": GOOD, "about": np.array("[]")}, "must be a JSON object"),
        ({"benign/0001": GOOD, "about": GOOD}, "must be JSON as text"),
    ],
)
def test_what_is_no_map_is_refused(arrays, message, save, score):
    with pytest.raises(XaibenchError, match=message):
        score(save(arrays))


@pytest.mark.parametrize(
    ("about", "message"),
    [
        ({"methd": "x"}, "says 'methd' .did you mean 'method'"),
        ({"sign": "plus"}, "sign 'plus'; choose one of relu, abs, none"),
        ({"mask_fraction": 2}, "mask_fraction 2; a share"),
        ({"method": "../up"}, "use letters"),
        ({"method": "=cmd|x"}, "use letters"),
        ({"method": "<b>x</b>"}, "use letters"),
        ({"method": "\x1b[2J"}, "use letters"),
        ({"method": "[a](http://b)"}, "use letters"),
        ({"method": "gradcam"}, "'gradcam' is a method of xaibench itself.*gradcam-mine"),
        ({"protocol": "0123456789abcdef"}, "made for protocol 0123456789abcdef, but here it is"),
    ],
)
def test_what_a_file_says_of_itself_is_checked(about, message, finished_run, save, score):
    with pytest.raises(XaibenchError, match=message):
        score(save(labels_only(finished_run), **about))


def test_the_protocols_hash_lets_maps_in(finished_run, save, score):
    own = read_json(finished_run.out / "run.json")["protocol_hash"]
    assert score(save(labels_only(finished_run), protocol=own)).method == "mine"


def test_a_run_of_another_protocol_is_no_yardstick(finished_copy, finished_run, save, score):
    run = read_json(finished_copy / "run.json")
    run["protocol"]["metrics"]["iou"] = "changed"
    (finished_copy / "run.json").write_text(json.dumps(run))
    with pytest.raises(XaibenchError, match=r"another protocol than today's code has \(metrics\)"):
        score(save(labels_only(finished_run)), directory=finished_copy)


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ({"model": "pocke"}, "did you mean 'pocket'"),
        ({"seed": 7}, "--seed 7: the run's are 0, 1"),
        ({"fold": 2}, "--fold 2: the split has folds 0 to 1"),
    ],
)
def test_the_runs_parts_are_named(where, message, finished_run, save, score):
    with pytest.raises(XaibenchError, match=message):
        score(save(labels_only(finished_run)), **where)


def test_one_fold_can_be_scored_alone(finished_run, save, score):
    path = finished_run.out / MAPS.format(fold=1, model="pocket", seed=0, method="gradcam")
    done = score(path, model="pocket", fold=1)
    own = rows_of(finished_run.out, method="gradcam", model="pocket", seed="0", fold="1")
    assert rows_of(done.out).equals(own)
    assert list(read_json(done.out / "run.json")["splits"]) == ["kfold-2-fold1.csv"]


@pytest.mark.slow
def test_the_command_prints_the_board_and_what_is_odd(finished_run, save, tmp_path):
    maps = labels_only(finished_run)
    path = save(maps | {"benign/0001": np.ones((2, 2))})
    run, out = ["--run", str(finished_run.out)], ["--out", str(tmp_path / "out")]
    said = CliRunner().invoke(cli, ["score", str(path), *run, *out, "--name", "My CAM"])
    assert said.exit_code == 0, said.output
    assert "My CAM" in said.stdout
    last = f"`xaibench compare {finished_run.out} {out[1]}` sets it beside the run and its controls"
    assert said.stdout.splitlines()[-1] == last
    assert "skipped: drop_in_confidence" in said.stdout
    assert "warning: My CAM: " in said.stderr
    said = CliRunner().invoke(cli, ["score", str(path), *run, "--image-size", "64"])
    assert "--image-size: --run" in str(said.exception)
    said = CliRunner().invoke(cli, ["score", str(path), *run, "--learned", "7"])
    assert str(said.exception) == "--learned 7.0; a share between 0 and 1."


def test_a_runs_folder_is_not_written_over(finished_run, save):
    setting = setting_of_run(finished_run.out, "", None, None, {"out": str(finished_run.out)})
    with pytest.raises(XaibenchError, match="a run lies there"):
        score_submission(setting, save(labels_only(finished_run)), {}, "a test")


@pytest.fixture(scope="module")
def red(run_cells, small, tmp_path_factory):
    """A run that scores the red channel with a tuned threshold and a pooled metric."""
    out = tmp_path_factory.mktemp("red") / "out"
    metrics = ("iou", "iou_tuned", "pxap", "drop_in_confidence")
    given = {**small, "methods": ("dawdling",), "metrics": metrics, "mask_fraction": 0.5}
    run_cells(given, out)
    selection = select({**given, "out": str(out)})
    maps = {
        sample.id: selection.loader.load(sample).image[:, :, 0].astype(np.float32) / 255
        for sample in selection.dataset.samples
    }
    return given, out, maps, selection.split(0)


@pytest.mark.slow
def test_thresholds_are_tuned_on_submitted_validation_maps(red, save, score):
    _, out, maps, split = red
    done = score(save(maps), model="pocket", directory=out, target="both")
    assert done.skips == []
    assert rows_of(done.out).equals(rows_of(out))
    costs = [pd.read_csv(folder / "costs.csv")["tuned_threshold"] for folder in (out, done.out)]
    assert costs[0].tolist() == costs[1].tolist()
    tested = {sample.id: maps[sample.id] for sample in split.test}
    done = score(save(tested), model="pocket", directory=out, target="both")
    (skip,) = done.skips
    assert skip.what == "iou_tuned"
    assert "have no map" in skip.reason


@pytest.mark.slow
def test_without_a_run_the_same_options_give_the_same_protocol_and_controls(
    red, save, tmp_path, run_cells
):
    given, out, maps, _ = red
    chosen = {**given, "controls": True, "out": str(tmp_path / "out"), "models": None}
    setting = setting_of_options(chosen | {"weights": None}, "", None, None)
    done = score_submission(setting, save(maps), {}, "a test")
    run = read_json(done.out / "run.json")
    assert run["protocol_hash"] == read_json(out / "run.json")["protocol_hash"]
    board = board_of(done.out).set_index("method")
    assert (board["kind"] == "control").sum() == 6
    assert board.loc["oracle", "iou"] == 1
    own = rows_of(out)
    own = own[own["metric"] != "drop_in_confidence"].drop(columns="model")
    mine = rows_of(done.out, method="mine").drop(columns="model")
    assert sorted(mine.to_numpy().tolist()) == sorted(own.to_numpy().tolist())


def test_a_state_dict_makes_the_network_known(red, save, tmp_path):
    given, out, maps, _ = red
    (weights,) = (out / "models").rglob("model.pt")
    chosen = {**given, "out": str(tmp_path / "out"), "weights": str(weights)}
    setting = setting_of_options(chosen, "pocket", None, None)
    done = score_submission(setting, save(maps), {"target": "both"}, "a test")
    assert rows_of(done.out).equals(rows_of(out))
    with pytest.raises(XaibenchError, match="nothing says what it has learned"):
        setting_of_options({**chosen, "weights": None}, "pocket", None, None)
    torch.save({"0.weight": torch.ones(2)}, tmp_path / "other.pt")
    with pytest.raises(XaibenchError, match="not the whole state dict of this network"):
        setting_of_options({**chosen, "weights": str(tmp_path / "other.pt")}, "pocket", None, None)


def test_all_samples_can_be_scored_and_a_limit_makes_no_stranger(red, save, tmp_path):
    given, _, maps, _ = red
    chosen = {**given, "split": "all", "limit": 7, "controls": True, "out": str(tmp_path / "out")}
    setting = setting_of_options(chosen, "", None, None)
    done = score_submission(setting, save(maps), {}, "a test")
    found = rows_of(done.out, method="mine", metric="iou")
    assert sorted(found["sample"]) == [f"{c}/{n:04}" for c in ("benign", "malignant")
                                       for n in range(1, 8)]  # fmt: skip
    assert set(found["split"]) == {"all"}
    assert {"iou_tuned", "average_mask on unstated"} <= {skip.what for skip in done.skips}


@pytest.mark.slow
@pytest.mark.skipif("XAIBENCH_DATA" not in os.environ, reason="real BUSI: XAIBENCH_DATA not set")
def test_maps_of_real_busi_images(save, tmp_path):
    chosen = {"dataset": "busi", "limit": 24, "image_size": 64, "metrics": ("iou", "hit_rate")}
    setting = setting_of_options({**chosen, "out": str(tmp_path / "out")}, "", None, None)
    test, read = setting.split(0).test, setting.dataset.read
    maps = {sample.id: 1 - read(sample).image.mean(axis=2) / 255 for sample in test}
    done = score_submission(setting, save(maps), {}, "a test")
    assert len(rows_of(done.out, method="mine", status="ok")) == 2 * len(test)
    turned = save({name: values.T for name, values in maps.items()})
    with pytest.raises(XaibenchError, match="transpose your maps"):
        score_submission(setting, turned, {}, "a test")
