"""Methods that learn first explain a user's own images, and are no subject of diagnostics."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import xaibench
from xaibench.core.errors import XaibenchError
from xaibench.core.registry import bind, load_plugin_file
from xaibench.diagnostics.run import diagnose
from xaibench.explaining.explainer import Explainer

PLUGIN = '''
"""The mean of the training images, scaled by the number of times that it was learned."""

import xaibench

TIMES = []


def learn(training_images, predict, classes, *, power: int = 1):
    TIMES.append(classes)
    predict(training_images[:2])
    return {"mean": training_images[:].mean(dim=(0, 1)) ** power}


@xaibench.method(fit=learn, family="learned", rescale="none", sign="none")
def mean_seen(images, fitted):
    """Return the mean of the training images."""
    return fitted["mean"].expand(len(images), -1, -1)


def learn_labels(training_images, training_labels):
    return {}


@xaibench.method(fit=learn_labels, family="learned")
def labels_seen(images, fitted):
    """Ask for more than a caller can give."""
    return images[:, 0]
'''


@pytest.fixture(scope="module")
def plugin(tmp_path_factory):
    file = tmp_path_factory.mktemp("plugins") / "mean_seen.py"
    file.write_text(PLUGIN, "utf-8")
    return file


def test_given_training_images_a_method_learns_once_in_python(plugin):
    load_plugin_file(plugin)
    trunk = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    network = nn.Sequential(trunk, nn.Linear(4, 5))
    images, seen = torch.rand(3, 3, 9, 14), torch.rand(7, 3, 9, 14)
    explainer = Explainer(network, training_images=seen.numpy())
    for _ in range(2):
        maps = explainer(images, 0, "mean_seen,gradcam,mean_seen[power=2]")
    mean = seen.mean(dim=(0, 1))
    torch.testing.assert_close(maps["mean_seen"], mean.expand(3, 9, 14))
    torch.testing.assert_close(maps["mean_seen[power=2]"], (mean**2).expand(3, 9, 14))
    times = bind("method", "mean_seen").plugin.function.__globals__["TIMES"]
    assert times == [5, 5]  # five classes, once for each spec

    for method, given, said in [
        ("mean_seen", None, "learns from training_images; give training_images="),
        ("mean_seen", seen[:, :, :8], r"must be \(N, 3, 9, 14\)"),
        ("labels_seen", seen, "learns from training_labels; `xaibench run` it on a dataset"),
    ]:
        with pytest.raises(XaibenchError, match=said):
            xaibench.explain(network, images, methods=method, training_images=given)


@pytest.mark.slow
def test_a_runs_model_is_explained_by_what_methods_learned_in_the_run(
    small, plugin, run_cells, call, tmp_path
):
    out, scan = tmp_path / "out", tmp_path / "scan.png"
    Image.fromarray(np.full((20, 30, 3), 90, np.uint8)).save(scan)
    learner = {**small, "plugin": (*small["plugin"], str(plugin)), "methods": ("mean_seen",)}
    assert run_cells(learner, out).failures == {}
    plugins = [word for each in learner["plugin"] for word in ("--plugin", each)]
    explain = ["explain", scan, "--run", out, *plugins, "--out", tmp_path / "explained"]
    code, said, errors = call(*explain)
    assert code == 0, said + errors
    (learned,) = out.rglob("fitted.pt")
    with np.load(tmp_path / "explained/maps.npz") as maps:
        np.testing.assert_array_equal(maps["scan/mean_seen"], torch.load(learned)["mean"])
    other = call(*explain, "--methods", "mean_seen[power=2]")
    assert other[0] == 2
    assert "has not learned for pocket, fold 0, seed 0" in other[2]
    with pytest.raises(XaibenchError, match="mean_seen: not diagnosed, as a method that learns"):
        diagnose(out, methods="mean_seen", plugin=learner["plugin"])
    learned.write_bytes(b"damaged")
    assert "has not learned for" in call(*explain)[2]
