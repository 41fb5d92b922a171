"""Every suite in ``benchmarks/`` can be planned, and opens with its command."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

from xaibench.core.registry import bind
from xaibench.pipeline.options import make_options, read_suite

FOLDER = Path(__file__).parent.parent / "benchmarks"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.toml")), ids=lambda path: path.stem)
def test_a_suite_names_what_exists_and_opens_with_its_command(path):
    options = make_options(read_suite(path), {})
    for kind in ("method", "model", "metric"):
        for spec in getattr(options, f"{kind}s"):
            bind(kind, spec)
    bind("dataset", options.dataset)
    assert f"xaibench run --suite benchmarks/{path.name}" in path.read_text("utf-8")


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
