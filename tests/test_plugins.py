"""Plugins from outside the package: the examples, and entry points of installed packages."""

import os
import subprocess
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pandas as pd
import pytest
import torch
from plugin_files import forget_plugin_files

from xaibench.cli import main

EXAMPLES = Path(__file__).parent.parent / "examples"
METHOD = '''
from torch import Tensor
import xaibench

@xaibench.method()
def from_elsewhere(images: Tensor) -> Tensor:
    """Return the first channel."""
    return images[:, 0]
'''


def xaibench(*arguments):
    """Return what a command prints, from this process, which has imported torch already."""
    printed = StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(printed):
        patch.setattr(sys, "argv", ["xaibench", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
    assert not ended.value.code
    return printed.getvalue()


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
        "--out", str(folder / "out"), *plugins,
    )  # fmt: skip
    yield folder, checkpoint, printed
    forget_plugin_files()


@pytest.mark.slow
def test_examples_show_up_in_scores_and_on_the_board(example_run):
    folder, _, printed = example_run
    scores = pd.read_csv(folder / "out" / "scores.csv")
    mine = scores[(scores["method"] == "darkness") & (scores["metric"] == "heat_outside")]
    assert len(mine) == 4
    assert mine["value"].between(0.05, 0.95).all()
    assert "darkness" in (folder / "out" / "leaderboard.md").read_text("utf-8")
    assert "heat_outside ↓" in printed


@pytest.mark.slow
def test_own_checkpoint_is_used_untrained(example_run):
    folder, checkpoint, _ = example_run
    (stored,) = (folder / "out" / "models").rglob("model.pt")
    weights = torch.load(stored, weights_only=True)
    for name, value in torch.load(checkpoint, weights_only=True).items():
        assert torch.equal(weights[f"network.{name}"], value)
    assert not list((folder / "out").rglob("history.csv"))


def test_examples_are_listed():
    assert "darkness" in xaibench("list", "methods", "--plugin", str(EXAMPLES / "darkness.py"))
    forget_plugin_files()


@pytest.mark.slow
def test_packages_announce_plugins_by_entry_points(tmp_path):
    (tmp_path / "elsewhere.py").write_text(METHOD, "utf-8")
    about = tmp_path / "elsewhere-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: elsewhere\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(
        "[xaibench.methods]\nfrom_elsewhere = elsewhere:from_elsewhere\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "xaibench", "list", "methods"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path)}, capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    assert "from_elsewhere" in done.stdout
