"""`xaibench init`: what it sees in a folder, and a file that runs."""

import tomllib

import numpy as np
import pytest
from PIL import Image

from xaibench.setup.suite import read_suite


def draw(path, *, size=(90, 60)):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(list(path.name.encode())).integers(
        0, 255, (*size[::-1], 3), np.uint8
    )
    Image.fromarray(pixels).save(path)


@pytest.fixture
def scans(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("cyst", "tumour"):
        for at in range(10):
            draw(tmp_path / "scans" / name / f"{at}.png")
    return tmp_path / "scans"


def test_masks_and_sizes_are_seen_and_the_file_plans_a_run(scans, call):
    for at in range(3):
        mask = np.zeros((60, 90), np.uint8)
        mask[10:20, 30:50] = 255
        Image.fromarray(mask).save(scans / "cyst" / f"{at}_mask.png")
    code, out, _ = call("init", "scans")
    assert code == 0
    assert "20 images of 2 classes: cyst (10), tumour (10)." in out
    assert "Masks for 3 images." in out
    (part,) = read_suite(scans.parent / "xaibench.toml")
    assert part.options["dataset"] == "folder[path=scans]"
    assert part.options["models"] == ["resnet50", "saliency_net"]
    assert part.options["image_size"] == 64  # the shorter side has 60 pixels
    assert part.options["primary"] == "iou"
    (quick,) = read_suite(scans.parent / "xaibench.toml", "quick")
    assert quick.options["models"][0] == "gap_cnn"
    assert (quick.options["weights"], quick.options["image_size"]) == ("none", 64)
    assert quick.options["out"] == "results/scans-quick"
    code, _, err = call(
        "run", "--suite", "xaibench.toml", "--profile", "quick", "--models", "gap_cnn",
        "--methods", "gradcam", "--metrics", "iou", "--dry-run",
    )  # fmt: skip
    assert code == 0, err


def test_without_masks_confidence_alone_scores(scans, call):
    assert call("init", "scans", "--out", "own.toml")[0] == 0
    options = tomllib.loads((scans.parent / "own.toml").read_text("utf-8"))
    assert options["models"] == ["resnet50"]
    assert options["profiles"]["quick"]["methods"] == ["gradcam", "gradcam_pp"]
    assert options["primary"] == "drop_in_confidence"
    assert "mask_fraction" not in options


def test_parts_that_folders_name_are_kept(tmp_path, monkeypatch, call):
    monkeypatch.chdir(tmp_path)
    for part in ("train", "test"):
        for name in ("cat", "dog"):
            for at in range(2):
                draw(tmp_path / "pets" / part / name / f"{part}_{name}{at}.png")
    code, _, err = call("init", "pets")
    assert code == 0, err
    assert tomllib.loads((tmp_path / "xaibench.toml").read_text("utf-8"))["split"] == "official"


def test_a_file_that_exists_is_kept(scans, call):
    (scans.parent / "xaibench.toml").write_text("mine", "utf-8")
    code, _, err = call("init", "scans")
    assert code == 2
    assert err == "error: --out xaibench.toml: this file exists already; name another one.\n"
    assert (scans.parent / "xaibench.toml").read_text("utf-8") == "mine"


def test_a_folder_called_in_any_way_is_quoted(tmp_path, monkeypatch, call):
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        for at in range(2):
            draw(tmp_path / 'my "scans", new]' / name / f"{at}.png")
    assert call("init", 'my "scans", new]')[0] == 0
    (part,) = read_suite(tmp_path / "xaibench.toml")
    assert call("init", part.options["dataset"], "--out", "again.toml")[0] == 0
