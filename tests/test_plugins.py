"""Plugins from outside the package: the examples, and entry points of installed packages."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch

EXAMPLES = Path(__file__).parent.parent / "examples"
METHOD = '''
from torch import Tensor
import xaibench

@xaibench.method()
def from_elsewhere(images: Tensor) -> Tensor:
    """Return the first channel."""
    return images[:, 0]
'''


def xaibench(*arguments, folder, **environment):
    done = subprocess.run(
        [sys.executable, "-m", "xaibench", *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def example_run(tmp_path_factory):
    """A run of all three examples: a method, a metric and an own network with its checkpoint."""
    folder = tmp_path_factory.mktemp("examples")
    checkpoint = folder / "weights.pt"
    sys.path.insert(0, str(EXAMPLES))
    try:
        from own_network import own_network  # noqa: PLC0415

        torch.manual_seed(5)
        torch.save(own_network(2, width=8).network.state_dict(), checkpoint)
    finally:
        sys.path.remove(str(EXAMPLES))
    plugins = [f"--plugin={EXAMPLES / name}.py" for name in ("darkness", "heat_outside",
                                                            "own_network")]  # fmt: skip
    model = f"own_network[checkpoint={checkpoint},width=8]"
    printed = xaibench(
        "run", "--dataset", "phantom[images=40]", "--models", model, "--metrics",
        "heat_outside,iou", "--methods", "darkness,gradcam", "--image-size", "48",
        "--out", "out", *plugins, folder=folder,
    )  # fmt: skip
    return folder, checkpoint, printed


def test_examples_show_up_in_scores_and_on_the_board(example_run):
    folder, _, printed = example_run
    scores = pd.read_csv(folder / "out" / "scores.csv")
    mine = scores[(scores["method"] == "darkness") & (scores["metric"] == "heat_outside")]
    assert len(mine) == 4
    assert mine["value"].between(0.05, 0.95).all()
    assert "darkness" in (folder / "out" / "leaderboard.md").read_text("utf-8")
    assert "heat_outside ↓" in printed


def test_own_checkpoint_is_used_untrained(example_run):
    folder, checkpoint, _ = example_run
    (stored,) = (folder / "out" / "models").rglob("model.pt")
    weights = torch.load(stored, weights_only=True)
    for name, value in torch.load(checkpoint, weights_only=True).items():
        assert torch.equal(weights[f"network.{name}"], value)
    assert not list((folder / "out").rglob("history.csv"))


def test_examples_are_listed():
    printed = xaibench("list", "methods", "--plugin", str(EXAMPLES / "darkness.py"), folder=".")
    assert "darkness" in printed


def test_packages_announce_plugins_by_entry_points(tmp_path):
    (tmp_path / "elsewhere.py").write_text(METHOD, "utf-8")
    about = tmp_path / "elsewhere-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: elsewhere\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(
        "[xaibench.methods]\nfrom_elsewhere = elsewhere:from_elsewhere\n"
    )
    printed = xaibench("list", "methods", folder=tmp_path, PYTHONPATH=str(tmp_path))
    assert "from_elsewhere" in printed
