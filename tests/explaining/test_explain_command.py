"""`xaibench explain`: a user's own pictures."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import torchvision
from PIL import Image
from torchvision.transforms.functional import normalize

from xaibench.core.explanation import PictureFile
from xaibench.core.model import IMAGENET_MEAN, IMAGENET_STD
from xaibench.core.registry import bind
from xaibench.core.roots import open_dataset
from xaibench.explaining import pictures
from xaibench.explaining.explain_files import PictureExplainer
from xaibench.explaining.stored_model import model_of_run
from xaibench.report.pictures.overlay import overlay

CELLS = "cells/phantom-images=48/kfold-2-fold1/pocket/seed1/gradcam/maps.npz"
MODELS = "models/phantom-images=48/kfold-2-fold0/pocket/seed0"
MORE_PLUGINS = '''
"""A network that only segments, and one that comes trained."""

import torch
from torch import Tensor, nn

import xaibench


class Segments(xaibench.Model):
    classifies = False

    def __init__(self, classes):
        super().__init__(cam_layer=None, trained=True)
        self.bias = nn.Parameter(torch.zeros(1 + classes))

    @property
    def abilities(self):
        return super().abilities | {"class_maps"}

    def outputs(self, images, *, saliency=False):
        gray = images.mean(dim=1, keepdim=True)
        maps = torch.cat([1 - gray, gray, gray.flip(3) / 2], dim=1)
        return xaibench.Outputs(images.new_zeros(len(images), 0), class_maps=maps)


@xaibench.model()
def segments(classes: int) -> Segments:
    """Call bright what is marked."""
    return Segments(classes)


@xaibench.method(rescale="none", sign="none")
def red(images: Tensor) -> Tensor:
    """Return the red channel."""
    return images[:, 0]
'''


@pytest.fixture(scope="module")
def more(tmp_path_factory):
    path = tmp_path_factory.mktemp("more") / "more_plugins.py"
    path.write_text(MORE_PLUGINS, "utf-8")
    return path


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    """A dark picture, 96 wide and 40 tall, with a bright spot on the right above the middle."""
    pixels = np.full((40, 96, 3), 20, np.uint8)
    pixels[8:14, 70:79] = 240
    path = tmp_path_factory.mktemp("scans") / "scan.png"
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def explain(call, tmp_path):
    """Explain; return exit code, table, and all that was said."""

    def run(*arguments):
        out = tmp_path / "explained"
        code, said, errors = call("explain", *arguments, "--out", out)
        table = out / "explained.csv"
        found = pd.read_csv(table, keep_default_na=False) if table.is_file() else None
        return code, found, said + errors

    return run


def maps_of(tmp_path):
    with np.load(tmp_path / "explained" / "maps.npz") as maps:
        return {name: maps[name] for name in maps.files}


def test_a_runs_own_images_get_the_runs_own_maps_and_predictions(
    finished_run, plugin_file, explain, tmp_path
):
    known = pd.read_csv(finished_run.out / "predictions.csv")
    known = known[(known["model"] == "pocket") & (known["fold"] == 1) & (known["seed"] == 1)]
    known = known.iloc[:3].set_index("sample")
    dataset = open_dataset(bind("dataset", "phantom[images=48]"))
    label = known["label"].iloc[0]
    with np.load(finished_run.out / CELLS) as stored:
        for name in known.index[known["label"] == label]:
            sample = next(s for s in dataset.samples if s.id == name)
            path = tmp_path / "picture.png"
            Image.fromarray(dataset.read(sample).image).save(path)
            code, table, said = explain(
                path, "--run", finished_run.out, "--fold", 1, "--seed", 1, "--device", "cpu",
                "--target", dataset.classes[label], "--plugin", plugin_file,
            )  # fmt: skip
            assert code == 0, said
            (row,) = table.to_dict("records")
            predicted = known.loc[name, "prediction"]
            assert row["prediction"] == dataset.classes[predicted]
            assert row["confidence"] == pytest.approx(
                known.loc[name, f"confidence_{predicted}"], abs=1e-6
            )
            assert row["target"] == dataset.classes[label]
            assert row["target_confidence"] == pytest.approx(
                known.loc[name, f"confidence_{label}"], abs=1e-6
            )
            ours = maps_of(tmp_path)[row["map"]]
            np.testing.assert_array_equal(ours, stored[f"label/{name}"])


def test_heat_lies_where_the_evidence_is_in_the_pictures_own_pixels(
    finished_run, more, scan, explain, tmp_path
):
    arguments = [scan, "--run", finished_run.out, "--methods", "red", "--plugin", more]
    plugin = json.loads((finished_run.out / "run.json").read_text())["options"]["plugin"][0]
    code, table, said = explain(*arguments, "--plugin", plugin)
    assert code == 0, said
    (row,) = table.to_dict("records")
    assert (row["width"], row["height"]) == (96, 40)
    assert 70 <= int(row["peak_x"]) < 79
    assert 8 <= int(row["peak_y"]) < 14
    assert row["target"] == ""  # red channels are no class's
    assert maps_of(tmp_path)["scan/red"].shape == (32, 32)
    drawn = np.asarray(Image.open(tmp_path / "explained" / row["overlay"])).astype(int)
    assert drawn.shape == (40, 96, 3)
    heat = np.abs(drawn - np.asarray(Image.open(scan)).astype(int)).sum(axis=2)
    assert heat[8:14, 70:79].min() > 4 * heat[:, :60].max()
    sheet = Image.open(tmp_path / "explained" / "scan" / "sheet.png")
    assert sheet.width > sheet.height


def test_overlays_blend_by_hand():
    image = np.array([[[10, 20, 30], [100, 100, 100], [0, 0, 0]]], np.uint8)
    blended = overlay(image, np.array([[0, 1, 0.5]], np.float32))
    assert blended[0, 0].tolist() == [10, 20, 30]
    # Inferno ends at (252, 255, 164); four fifths of it over one of gray.
    assert blended[0, 1].tolist() == [222, 224, 152]
    assert blended[0, 2].sum() > 0


def test_defaults_are_the_runs_methods_that_the_model_serves(finished_run, scan, explain):
    _, table, said = explain(scan, "--run", finished_run.out)
    assert table["method"].tolist() == ["gradcam"]
    assert table["model"][0].startswith("pocket, fold 0, seed 0 of")
    assert "scan" in said.splitlines()[1]
    _, table, _ = explain(scan, "--run", finished_run.out, "--model", "pocket_saliency")
    assert table["method"].tolist() == ["gradcam", "spn"]
    # An SPN's map is of no class; Grad-CAM's is of the one predicted.
    assert table["target"].tolist() == [table["prediction"][0], ""]


def test_neither_data_nor_first_weights_need_be_there(finished_copy, scan, explain):
    path = finished_copy / "run.json"
    run = json.loads(path.read_text())
    run["options"] |= {"dataset": "busi", "data_root": "/nowhere", "weights": "/nowhere/first.pth"}
    path.write_text(json.dumps(run))
    assert explain(scan, "--run", finished_copy)[0] == 0


def test_files_folders_and_patterns_each_picture_once_and_under_its_own_name(
    finished_run, scan, explain, tmp_path
):
    for name in ("a/x.png", "b/x.png", "b/x_mask.png", "b/deep/y.PNG", "c/x.png", "c/x.jpg"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.open(scan).save(path)
    (tmp_path / "in/b/note.txt").write_text("no picture")
    (tmp_path / "in/a/broken.png").write_text("no picture")
    place = tmp_path / "in"
    code, table, said = explain(
        place / "a", place / "b", place / "b/x.png", f"{place}/c/*", "nothing/*.png",
        place / "b/note.txt", place / "d.png", "--run", finished_run.out,
    )  # fmt: skip
    assert code == 3
    assert table["picture"].tolist() == ["a/x", "b/deep/y", "b/x", "c/x.jpg", "c/x.png"]
    assert table["overlay"].nunique() == table["map"].nunique() == 5
    assert all((tmp_path / "explained" / path).is_file() for path in table["overlay"])
    failed = [line for line in said.splitlines() if line.startswith("failed: ")]
    assert len(failed) == 4
    for name, why in (
        ("broken", "not a readable image"), ("nothing/*.png", "no pictures there"),
        ("note.txt", "not an image: its name ends"), ("d.png", "no such file"),
    ):  # fmt: skip
        assert any(name in line and why in line for line in failed), name


def test_results_are_not_taken_for_pictures(finished_run, scan, explain, tmp_path):
    Image.open(scan).save(tmp_path / "one.png")
    for _ in range(2):
        code, table, _ = explain(tmp_path, "--run", finished_run.out)
        assert code == 0
        assert table["picture"].tolist() == ["one"]


def test_pictures_that_can_not_be_used_cost_themselves_alone(finished_run, scan, explain, tmp_path):
    folder = tmp_path / "scans"
    folder.mkdir()
    for name in ("a.png", "\x1b]0;t\x07.png", os.fsdecode(b"\xff.png"), "line\nbreak.png"):
        shutil.copy(scan, folder / name)
    os.mkfifo(folder / "pipe.png")
    (folder / "zero.png").symlink_to("/dev/zero")
    (folder / "gone.png").symlink_to("nowhere")
    (folder / "cut.png").write_bytes(scan.read_bytes()[:60])
    code, table, said = explain(str(folder), "--run", str(finished_run.out))
    assert code == 3
    assert set(table["picture"]) == {"a"}
    failed = [line for line in said.splitlines() if line.startswith("failed: ")]
    names = ["x1b]0;t", "udcff.png", "line", "pipe.png", "zero.png", "gone.png", "cut.png"]
    assert len(failed) == len(names)
    assert all(any(name in line for line in failed) for name in names)
    assert "\x1b" not in said


def test_a_method_that_fails_costs_its_own_maps(finished_run, scan, explain, monkeypatch):
    monkeypatch.setenv("FLAKY", "raise")
    code, table, said = explain(scan, "--run", finished_run.out, "--methods", "flaky,gradcam")
    assert code == 3
    assert table["status"].tolist() == ["failed: RuntimeError('out of luck')", "ok"]
    assert table["overlay"].tolist() == ["", "scan/gradcam.png"]
    assert "failed: flaky on scan: RuntimeError" in said
    monkeypatch.setenv("FLAKY", "nan")
    _, table, _ = explain(scan, "--run", finished_run.out, "--methods", "flaky")
    assert table[["status", "peak_x"]].to_numpy().tolist() == [["non-finite map", ""]]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--model", "resnet18"], "choose --model, --fold and --seed of: pocket, fold 0, seed 0;"),
        (["--fold", 2], "no such model is trained there"),
        (["--seed", 5], "pocket_saliency, fold 1, seed 1."),
        (["--weights", "imagenet"], "--weights: --run settles it"),
        (["--classes", "a,b"], "--classes: --run settles it"),
        (["--target", "purple"], "--target purple: no such class"),
        (["--target", "2"], "choose predicted, or of"),
        (["--methods", "spn"], "needs saliency"),
        (["--methods", "oracle"], "needs masks"),
        (["--layer", "conv9"], "no layer 'conv9'"),
    ],
)
def test_mistakes_are_told_in_one_line(finished_run, scan, explain, arguments, said):
    code, table, told = explain(scan, "--run", finished_run.out, *arguments)
    assert (code, table) == (2, None)
    assert said in told
    assert len(told.splitlines()) == 1


def test_what_is_no_sound_run_is_refused(finished_copy, scan, explain, tmp_path):
    assert explain("none.png", "--run", finished_copy)[2] == (
        "error: none.png: no such file; name pictures, folders or patterns.\n"
    )
    assert "no run.json; name one of the runs in it" in explain(scan, "--run", tmp_path)[2]
    assert "--run DIR, or --model SPEC" in explain(scan)[2]
    assert "--fold: it chooses among" in explain(scan, "--model", "resnet18", "--fold", 0)[2]
    path = finished_copy / "run.json"
    run = json.loads(path.read_text())
    path.write_text(json.dumps({**run, "classes": [*run["classes"], "third"]}))
    assert (
        "don't fit the network that today's code builds" in explain(scan, "--run", finished_copy)[2]
    )
    path.write_text(json.dumps(run))
    with (finished_copy / MODELS / "model.pt").open("ab") as file:
        file.write(b"x")
    assert "model.pt: missing or damaged" in explain(scan, "--run", finished_copy)[2]


@pytest.fixture(scope="module")
def squeezenet(tmp_path_factory):
    """Files of untrained networks, their K, and the network that knows a thousand classes."""
    folder, network = tmp_path_factory.mktemp("weights"), None
    torch.manual_seed(0)
    for classes in (3, 1000):
        network = torchvision.models.squeezenet1_1(num_classes=classes).eval()
        torch.save(network.state_dict(), folder / f"{classes}.pth")
    state = network.state_dict()
    torch.save({f"network.{k}": v for k, v in state.items()}, folder / "model.pth")
    torch.save({k: v for k, v in state.items() if "classifier" not in k}, folder / "part.pth")
    return folder, network


@pytest.mark.slow
def test_a_file_of_weights_tells_its_classes(squeezenet, scan, explain):
    folder, network = squeezenet
    given = ["--model", "squeezenet1_1", "--image-size", 64, "--methods", "gradcam"]
    code, table, said = explain(scan, *given, "--weights", folder / "1000.pth")
    assert code == 0, said
    square = Image.open(scan).resize((64, 64), Image.Resampling.BILINEAR)
    pixels = torch.from_numpy(np.array(square)).permute(2, 0, 1)[None] / 255
    with torch.no_grad():
        sure = network(normalize(pixels, IMAGENET_MEAN, IMAGENET_STD)).softmax(dim=1)[0]
    names = torchvision.models.SqueezeNet1_1_Weights.IMAGENET1K_V1.meta["categories"]
    assert table["prediction"][0] == names[int(sure.argmax())]
    assert table["confidence"][0] == pytest.approx(float(sure.max()), rel=1e-3)
    again = explain(scan, *given, "--weights", folder / "model.pth")[1]
    assert again["confidence"].tolist() == table["confidence"].tolist()
    three = [*given, "--weights", folder / "3.pth"]
    assert explain(scan, *three, "--target", 2)[1]["target"][0] == "class 2"
    assert explain(scan, *three, "--classes", "x,y,z", "--target", "y")[1]["target"][0] == "y"
    assert "names 2, but --weights" in explain(scan, *three, "--classes", "x,y")[2]
    said = explain(scan, *given, "--weights", folder / "part.pth")[2]
    assert "2 tensors are missing, left over or of another shape" in said


@pytest.mark.slow
def test_a_file_of_weights_with_one_output_tells_two_classes(squeezenet, scan, explain, tmp_path):
    state = torch.load(squeezenet[0] / "3.pth", weights_only=True)
    for key in ("classifier.1.weight", "classifier.1.bias"):
        state[key] = state[key][:1]
    state["classifier.1.bias"] += 4  # SqueezeNet's logit passes a ReLU
    torch.save(state, tmp_path / "1.pth")
    network = torchvision.models.squeezenet1_1(num_classes=1).eval()
    network.load_state_dict(state)
    square = Image.open(scan).resize((64, 64), Image.Resampling.BILINEAR)
    pixels = torch.from_numpy(np.array(square)).permute(2, 0, 1)[None] / 255
    with torch.no_grad():
        sure = network(normalize(pixels, IMAGENET_MEAN, IMAGENET_STD)).sigmoid().item()
    given = ["--model", "squeezenet1_1", "--image-size", 64, "--weights", tmp_path / "1.pth"]
    code, table, said = explain(scan, *given)
    assert code == 0, said
    assert (table["prediction"][0], table["status"][0]) == ("class 1", "ok")
    assert table["confidence"][0] == pytest.approx(sure, rel=1e-3)
    table = explain(scan, *given, "--classes", "no,yes", "--target", "no")[1]
    assert (table["prediction"][0], table["target"][0]) == ("yes", "no")
    assert table["target_confidence"][0] == pytest.approx(1 - sure, rel=1e-3)
    assert "names 3, but --weights" in explain(scan, *given, "--classes", "x,y,z")[2]


def test_models_that_have_learned_nothing_are_refused(scan, explain):
    assert "nothing says what it has learned" in explain(scan, "--model", "squeezenet1_1")[2]
    said = explain(scan, "--model", "saliency_net[backbone=resnet18]", "--weights", "imagenet")[2]
    assert "only networks of torchvision, timm/ and hf/ come trained, not saliency_net" in said


def test_models_that_do_not_classify_predict_nothing(more, scan, explain):
    given = [scan, "--model", "segments", "--plugin", more, "--image-size", 48]
    code, table, said = explain(*given, "--methods", "segmentation,segmentation[of=target]")
    assert code == 3
    assert "this model predicts none; set --target" in said
    assert table["status"][0] == "ok"
    assert (table[["prediction", "confidence", "target", "target_confidence"]] == "").all(axis=None)
    assert 70 <= int(table["peak_x"][0]) < 79
    methods = ["--methods", "segmentation[of=target]", "--classes", "spot,mirrored"]
    code, table, _ = explain(*given, *methods, "--target", "mirrored")
    assert code == 0
    assert table["target"].tolist() == ["mirrored"]
    assert 96 - 79 <= int(table["peak_x"][0]) <= 96 - 70
    assert "gradcam explains a classifier" in explain(*given, "--methods", "gradcam")[2]


def test_a_new_picture_is_cut_as_the_runs_dataset_cuts_it(finished_run, monkeypatch):
    stored = model_of_run(finished_run.out, "", None, None, {})
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    # 0.5 of 20 rows are 5 to 14, and of 30 columns 7 (not 7.5) to 21.
    inside = pixels[5:15, 7:22]

    def explained(image, dataset):
        explainer = PictureExplainer(
            replace(stored, dataset=dataset), [bind("method", "gradcam")], "0"
        )
        file = PictureFile("x", Path("x.png"))
        monkeypatch.setattr(pictures, "read_image", lambda _, **_given: image)
        (found,) = explainer([file])
        return found

    cut = explained(pixels, bind("dataset", "chest_xray[classes=3,crop=0.5]"))
    alone = explained(inside, None)
    assert cut.confidence == alone.confidence != explained(pixels, None).confidence
    heat = cut.answers["gradcam"].heat
    assert heat.shape == (20, 30)
    np.testing.assert_array_equal(heat[5:15, 7:22], alone.answers["gradcam"].heat)
    heat[5:15, 7:22] = 0
    assert not heat.any()


@pytest.mark.parametrize(("name", "told"), [("benign/03.png", True), ("other/03.png", False)])
def test_training_images_are_told_by_their_names(name, told):
    files = [PictureFile(each, Path("/scans", each)) for each in (name, "malignant/9.png")]
    said = pictures.note_training(files, frozenset({"benign/03", "malignant/09"}))
    assert said.startswith("note: 1 of 2 pictures, such as 03.png, are named") == told
    assert bool(said) == told
