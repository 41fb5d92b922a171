"""One finished run of tiny plugins that the tests of several rooms share."""

import shutil
from pathlib import Path

import pytest
from filelock import FileLock
from plugin_files import forget_plugin_files

import xaibench
from xaibench.running.plan import make_plan
from xaibench.running.run import run_plan
from xaibench.setup.selection import select

ROOMS = {"callbacks", "setup", "training", "explaining", "running", "submission", "audit"}
METRICS = ("iou", "hit_rate", "drop_in_confidence")


@pytest.fixture(autouse=True, scope="module")
def _registry_left_without_plugin_files(request):
    yield
    if request.path.parent.name in ROOMS:
        forget_plugin_files()


@pytest.fixture(scope="session")
def plugin_file():
    return Path(__file__).parent / "pocket_plugins.py"


@pytest.fixture(scope="session")
def settings(plugin_file):
    return {
        "dataset": "phantom[images=48]",
        "plugin": (str(plugin_file),),
        "models": ("pocket", "pocket_saliency"),
        "methods": ("gradcam", "spn"),
        "metrics": METRICS,
        "split": "kfold:2",
        "recipe": "published",
        "seeds": (0, 1),
        "epochs": 2,
        "image_size": 32,
        "weights": "none",
        "device": "cpu",
        "learning_rate": 0.002,
    }


@pytest.fixture(scope="session")
def finished_run(settings, tmp_path_factory, worker_id):
    """A whole run with its report: two models, two folds, two seeds. Read only.

    The first worker makes it; the others find nothing left to do.
    """
    folder = tmp_path_factory.getbasetemp()
    folder = (folder if worker_id == "master" else folder.parent) / "finished"
    with FileLock(f"{folder}.lock"):
        return xaibench.run(**settings, out=str(folder / "out"))


@pytest.fixture(scope="session")
def small(settings):
    """One model, one split, one seed, no controls."""
    one = {"models": ("pocket",), "methods": ("gradcam",), "split": "holdout", "seeds": (0,)}
    return {**settings, **one, "controls": False}


@pytest.fixture
def finished_copy(finished_run, tmp_path):
    """A copy that a test may damage."""
    return shutil.copytree(finished_run.out, tmp_path / "copy")


@pytest.fixture(scope="session")
def plan_of():
    def plan(given, out, **changed):
        return make_plan(select({**given, "out": str(out), **changed}))

    return plan


@pytest.fixture(scope="session")
def run_cells():
    """Everything but the report."""

    def run(given, out, **changed):
        selection = select({**given, "out": str(out), **changed})
        return run_plan(selection, make_plan(selection), "a test")

    return run
