"""Every suite in ``benchmarks/`` can be planned, and opens with its command."""

import csv
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from xaibench.core.registry import bind
from xaibench.setup.option_values import listed
from xaibench.setup.options import make_options
from xaibench.setup.suite import read_suite

FOLDER = Path(__file__).parent.parent / "benchmarks"
SUITES = sorted(FOLDER.glob("*.toml"))


PLURALS = {"method": "methods", "model": "models", "metric": "metrics", "analysis": "analyses"}
# What a quick profile is cut down to here: the same plugins on fewer images. Of two classes an
# analysis needs eight test images, of ten digits there are enough in any case.
SHRUNK = ("--epochs", "1", "--device", "cpu", "--no-controls", "--seeds", "0")
FEW, FEW_DIGITS = "40", "10"


def parts_of(path):
    """All parts of a suite, in full and quick."""
    return [*read_suite(path), *read_suite(path, "quick")]


@pytest.mark.parametrize("path", SUITES, ids=lambda path: path.stem)
def test_a_suite_names_what_exists_and_opens_with_its_command(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for part in parts_of(path):
        weights = part.options.get("weights", "none")
        if weights.endswith(".pth"):  # a user's own file, in the working directory
            Path(weights).touch()
        options = make_options(part.options, {})
        for kind, plural in PLURALS.items():
            for spec in getattr(options, plural):
                bind(kind, spec)
        bind("dataset", options.dataset)
    text = path.read_text("utf-8")
    for command in ("", " --profile quick"):
        assert f"#   xaibench run --suite benchmarks/{path.name}{command}\n" in text
    assert "# Runtime" in text


def test_headers_name_every_download_and_no_other():
    wrong = {}
    for path in SUITES:
        needed = set()
        for options in (part.options for part in parts_of(path)):
            specs = {options["dataset"], options.get("test_dataset", "")} - {""}
            for named in (bind("dataset", spec) for spec in specs):
                if (load := named.plugin.traits.fetch) is not None:
                    brings = [k for k in inspect.signature(load).parameters if k in named.options]
                    told = ",".join(f"{k}={named.options[k]}".lower() for k in brings)
                    needed.add(f"'{named.plugin.name}[{told}]'" if told else named.plugin.name)
        header = path.read_text("utf-8").partition("\n\n")[0].replace("\n# ", " ")
        told = set(re.findall(r"`xaibench fetch ([^`]+)`", header))
        if told != needed:
            wrong[path.stem] = (told, needed)
    assert wrong == {}


def test_every_system_has_its_suite():
    assert {path.stem for path in SUITES} == {
        "saliency_aware_busi", "saliency_aware_birds", "cam_dogs_vs_cats", "skin_attention",
        "features_mnist", "segmentation_voc", "reconstruction", "pneumonia",
        "two_cores",  # what all of them come to without a GPU
        "busi", "busi_efficientnet",  # post-hoc, guided or learned
        "pointing_game_voc07", "pointing_game_coco14", "wsol_cub", "wsol_openimages",
        "chexlocalize",  # the field's protocols
    }  # fmt: skip


def run_quick(call, path, part, out, *more):
    """Run one part of a quick profile, shrunk, and look whether all that it names is there."""
    name, options = part.origin["part"], part.options
    code, _, err = call(
        "run", "--suite", path, "--profile", "quick", *(["--part", name] if name else []),
        *SHRUNK, "--limit", FEW_DIGITS if "mnist" in options["dataset"] else FEW,
        "--out", out, *more,
    )  # fmt: skip
    if code == 2 and "XAIBENCH_DATA" in err:
        pytest.skip(f"its data isn't here: {err}")
    assert code == 0, err
    scored = set(pd.read_csv(out / "scores.csv")["method"])
    named = {bind("method", spec).spec for spec in listed(options["methods"])}
    assert {
        spec for spec in named if bind("method", spec).plugin.traits.family != "control"
    } <= scored
    if "analyses" in options:
        done = set(pd.read_csv(out / "analyses.csv")["analysis"])
        assert done == {bind("analysis", spec).spec for spec in options["analyses"]}


@pytest.mark.full
@pytest.mark.parametrize(
    ("path", "part"),
    [
        pytest.param(path, part, id=f"{path.stem}-{part.origin['part']}")
        for path in SUITES
        for part in read_suite(path, "quick")
    ],
)
def test_a_quick_profile_runs(path, part, tmp_path, call):
    run_quick(call, path, part, tmp_path)


@pytest.mark.slow
def test_one_quick_profile_runs_with_one_network_and_one_fold(tmp_path, call):
    path = FOLDER / "skin_attention.toml"
    [part] = read_suite(path, "quick")
    run_quick(call, path, part, tmp_path, "--models", "mobilenet_v2", "--split", "holdout")


@pytest.mark.slow
def test_the_speed_contest_runs_and_its_maps_agree(tmp_path):
    command = [
        sys.executable, str(FOLDER / "speed"), "--network", "squeezenet1_1", "--image-size", "64",
        "--batch", "2", "--rounds", "1", "--works", "gradcam,localization", "--out", str(tmp_path),
    ]  # fmt: skip
    surroundings = {**os.environ, "XAIBENCH_DATA": ""}
    subprocess.run(command, check=True, capture_output=True, env=surroundings)
    with (tmp_path / "speed.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["peer"] for row in rows} == {"grad-cam", "captum", "-"}
    assert all(float(row["ours_s"]) > 0 for row in rows)
    compared = [float(row["difference"]) for row in rows if row["difference"]]
    assert len(compared) == 4
    assert max(compared) < 1e-4
    assert (tmp_path / "speed.md").read_text("utf-8").count("\n| ") == len(rows) + 1


@pytest.mark.slow
def test_the_script_for_a_gpu_starts_without_one(tmp_path):
    command = [sys.executable, str(FOLDER / "gpu"), "--device", "cpu", "--tiny", "--out", tmp_path]
    subprocess.run([*command, "parity", "speed"], check=True, timeout=300)
    for part in ("parity", "speed"):
        table = (tmp_path / f"{part}.md").read_text("utf-8")
        assert "| gradcam |" in table
