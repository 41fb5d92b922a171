"""Models with one logit are trained, explained and scored; what does not fit is refused first."""

import numpy as np
import pandas as pd
import pytest

import xaibench
from xaibench import XaibenchError

PLUGIN = '''
"""A small network with as many outputs as an option says, and a step behind them."""

from torch import nn

import xaibench


@xaibench.model()
def binary(classes: int, *, outputs: int = 1, ending: str = "", said: str = "") -> xaibench.Model:
    """Build it."""
    layers = [
        nn.Conv2d(3, 6, 5, stride=4), nn.BatchNorm2d(6), nn.ReLU(), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Linear(6, outputs),
    ]
    layers += [getattr(nn, ending)()] if ending else []
    return xaibench.Classifier(nn.Sequential(*layers), cam_layer="2", output=said or None)
'''


@pytest.fixture(scope="module")
def plugin(tmp_path_factory):
    file = tmp_path_factory.mktemp("binary") / "binary.py"
    file.write_text(PLUGIN, "utf-8")
    return file


@pytest.fixture
def run(plugin, tmp_path):
    def start(model, **options):
        return xaibench.run(
            dataset="phantom[images=24]", image_size=32, epochs=1, plugin=[plugin], models=[model],
            methods=["gradcam", "rise[masks=16]"], metrics=["insertion", "iou"], controls=False,
            out=tmp_path, **options,
        )  # fmt: skip

    return start


@pytest.mark.slow
@pytest.mark.parametrize(
    "model",
    ["binary", "binary[ending=Sigmoid,said=probabilities]", "binary[ending=Softmax,outputs=2]"],
)
def test_a_model_of_two_classes_is_trained_and_explained(model, run, tmp_path):
    results = run(model, learning_rate=0.05)
    assert results.failures == {}
    assert set(results.scores["status"]) == {"ok"}
    assert results.scores.groupby("method")["value"].nunique().min() > 1
    (file,) = (tmp_path / "models").rglob("predictions.csv")
    table = pd.read_csv(file)
    shares = table[["confidence_0", "confidence_1"]].to_numpy()
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-6)
    assert np.ptp(shares[:, 1]) > 0
    assert (shares.argmax(axis=1) == table["prediction"]).all()
    (history,) = (tmp_path / "models").rglob("history.csv")
    assert pd.read_csv(history)["train_loss"].between(0.3, 2).all()


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("binary[outputs=7]", r"has 7 classes, but phantom\[images=24\] has 2"),
        ("binary[ending=Sigmoid]", "output='logits' or output='probabilities'"),
        ("binary[outputs=2,ending=Sigmoid]", "but do not sum to 1"),
    ],
)
def test_what_does_not_fit_is_told_before_training(model, message, run, tmp_path):
    with pytest.raises(XaibenchError, match=message):
        run(model)
    assert list(tmp_path.rglob("history.csv")) == []
