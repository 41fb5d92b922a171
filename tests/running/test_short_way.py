"""From a method's name to its function there are few steps; records are read once or twice."""

import sys
from collections import Counter
from pathlib import Path

import pytest

import xaibench
from xaibench.core.registry import plugins

PACKAGE = str(Path(xaibench.__file__).parent)
PLUGIN = '''
"""A method that tells who asks it."""

import traceback

from torch import Tensor

import xaibench


@xaibench.method()
def probe(images: Tensor) -> Tensor:
    """Note the way here, and fail, so that nothing is drawn."""
    probe.way = traceback.extract_stack()
    raise RuntimeError("this was the way")
'''
FRAMES, FILES, READ = 15, 8, 20


@pytest.fixture(scope="module")
def opened():
    """Count what is opened, by name, while it is listened to; a hook can't be taken away."""
    counted, listening = Counter(), []

    def hook(event, arguments):
        if listening and event == "open" and isinstance(arguments[0], str):
            counted[Path(arguments[0]).name] += 1

    sys.addaudithook(hook)
    listening.append(True)
    yield counted
    listening.clear()


def test_a_methods_function_is_reached_in_few_steps(call, small, tmp_path):
    file = tmp_path / "probe_plugin.py"
    file.write_text(PLUGIN, "utf-8")
    plugin = small["plugin"][0]
    code, _, _ = call("run", "--dataset", small["dataset"], "--plugin", plugin, "--plugin", file,
                      "--models", "pocket", "--methods", "probe", "--metrics", "iou", "--epochs", 1,
                      "--image-size", 32, "--weights", "none", "--no-controls", "--device", "cpu",
                      "--out", tmp_path / "out")  # fmt: skip
    assert code == 3
    way = plugins("method")["probe"].function.way
    files = [frame.filename for frame in way]
    # From the body of the command: above it are click, and how errors are told.
    start = files.index(str(Path(PACKAGE, "commands", "run.py")))
    steps = [frame for frame in way[start:-1] if frame.filename.startswith(PACKAGE)]
    assert len(steps) <= FRAMES, " ".join(frame.name for frame in steps)
    assert len({frame.filename for frame in steps}) <= FILES


@pytest.mark.slow
def test_records_are_not_read_again_and_again(small, run_cells, tmp_path, opened):
    run_cells(small, tmp_path, controls=True, models=("pocket", "pocket_saliency"))
    cells = len(list(tmp_path.rglob("cell.json")))
    assert cells > 10
    assert opened["model.json"] <= READ
    assert opened["cell.json"] <= 3 * cells
