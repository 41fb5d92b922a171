"""What a run's analyses say of a new picture, against what they said of the run's own."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import nn

from xaibench.core.explanation import Reconstruction
from xaibench.core.model import Outputs
from xaibench.core.networks.autoencoding import Autoencoder
from xaibench.core.passes.engine import Engine
from xaibench.core.registry import bind
from xaibench.core.roots import open_dataset
from xaibench.explaining.restoring import reconstruct

TINY = {
    "dataset": "phantom[images=60]", "split": "holdout", "epochs": 1, "image_size": 32,
    "weights": "none", "device": "cpu", "recipe": "published", "controls": False,
    "dependence": False,
}  # fmt: skip


def test_above_the_threshold_is_an_alarm():
    blank, bounds = np.zeros((1, 1, 3), np.uint8), {"anomaly": 0.5, "anomaly[quantile=0.9]": 0.55}
    found = [Reconstruction(e, bounds, blank, blank).alarms.values() for e in (0.5, 0.53, 0.6)]
    assert [list(alarms) for alarms in found] == [[False, False], [True, False], [True, True]]


@pytest.mark.slow
def test_neighbors_and_errors_of_the_runs_own_test_images(call, tmp_path):
    out, spec = tmp_path / "out", "autoencoder[healthy=benign]"
    arguments = [part for key, value in TINY.items() if not isinstance(value, bool)
                 for part in (f"--{key.replace('_', '-')}", value)]  # fmt: skip
    code, _, errors = call(
        "run", *arguments, "--no-controls", "--no-dependence", "--models", f"small_resnet,{spec}",
        "--methods", "gradcam,residual", "--metrics", "sparseness",
        "--analyses", "knn[k=3],anomaly[healthy=benign],anomaly[healthy=benign,threshold=quantile],"
        "reconstruction[noise=0.2]", "--out", out,
    )  # fmt: skip
    assert code == 0, errors
    dataset = open_dataset(bind("dataset", TINY["dataset"]))
    for model, analysis, file in (
        ("small_resnet", "knn[k=3]", "neighbors"),
        (spec, "anomaly[healthy=benign]", "anomalies"),
        (spec, "anomaly[healthy=benign,threshold=quantile]", "anomalies"),
    ):
        told = {
            path: json.loads(path.read_text("utf-8"))
            for path in (out / "analyses").rglob("analysis.json")
        }
        (record,) = [
            path
            for path, said in told.items()
            if said["model"] == model and said["analysis"] == analysis
        ]
        known = pd.read_csv(record.parent / "images.csv", dtype={"sample": str})
        pictures = tmp_path / analysis
        pictures.mkdir()
        for name in known["sample"]:
            sample = next(each for each in dataset.samples if each.id == name)
            image = Image.fromarray(dataset.read(sample).image)
            image.save(pictures / f"{name.replace('/', '-')}.png")
        explained = tmp_path / f"explained-{analysis}"
        assert call("explain", pictures, "--run", out, "--model", model, "--out", explained)[0] == 0
        table = pd.read_csv(explained / f"{file}.csv", dtype={"picture": str}).set_index("picture")
        if file == "anomalies":
            table = table[table["analysis"] == analysis]
        for row in known.itertuples():
            mine = table.loc[row.sample.replace("/", "-")]
            if file == "neighbors":
                assert list(mine["rank"]) == [1, 2, 3]
                assert dataset.classes.index(mine["vote"].iloc[0]) == row.knn
            else:
                assert mine["error"] == pytest.approx(row.error, rel=1e-4)
                threshold = told[record]["numbers"]["threshold"]
                assert mine["alarm"] == (row.error > threshold)
        drawn = "neighbors.png" if file == "neighbors" else "reconstruction.png"
        assert len(list(explained.rglob(drawn))) == len(known)
    noisy = pd.read_csv(explained / "denoised.csv")
    assert len(noisy) == len(known)
    assert noisy["noise"].eq(0.2).all()
    # Noise of a standard deviation of 0.2 has an error of 0.04: 14 dB.
    assert noisy["noisy_psnr"].to_numpy() == pytest.approx(-10 * np.log10(0.04), abs=0.6)


def test_what_noise_does_is_measured_against_the_clean_picture():
    class Brighter(Autoencoder):
        """Draws every image brighter by a tenth."""

        def __init__(self):
            super().__init__(nn.Identity(), nn.Identity(), torch.ones(2, dtype=torch.bool))

        def outputs(self, images, *, saliency=False):  # noqa: ARG002
            return Outputs(images.new_zeros(len(images), 0), reconstruction=images + 0.1)

    images = torch.full((3, 3, 40, 64), 0.5)
    plain = reconstruct(Engine(Brighter().eval()), images, {}, None)
    assert [each.error for each in plain] == pytest.approx([0.01] * 3, rel=1e-4)
    assert [each.alarms for each in plain] == [{}] * 3
    assert {each.denoised for each in plain} == {None}
    (noisy, *_), above = (
        reconstruct(Engine(Brighter().eval()), images, {"anomaly": limit}, 0.05)
        for limit in (0.02, 0.005)
    )
    assert noisy.alarms == {"anomaly": False}
    assert above[0].alarms == {"anomaly": True}
    assert noisy.denoised.noisy_fidelity[0] == pytest.approx(-10 * np.log10(0.05**2), abs=0.2)
    # The shift's error adds to that of the noise.
    both = -10 * np.log10(0.05**2 + 0.1**2)
    assert noisy.denoised.restored_fidelity[0] == pytest.approx(both, abs=0.2)
    assert noisy.denoised.restored.mean() - noisy.denoised.noisy.mean() == pytest.approx(
        25.5, abs=1
    )
