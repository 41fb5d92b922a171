"""Runs on images whose last channel alone shows the class, from the files to the report."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import xaibench

SIDE, RADIUS = 96, 14


def write_images(folder, channels):
    random = np.random.default_rng(3)
    rows, columns = np.mgrid[:SIDE, :SIDE]

    counts = {"train": 24, "val": 4, "test": 6}
    for part, name in product(counts, ("none", "disk")):
        (folder / part / name).mkdir(parents=True)
        for number in range(counts[part]):
            image = random.integers(60, 140, (SIDE, SIDE, channels)).astype(np.uint8)
            row, column = random.integers(RADIUS + 4, SIDE - RADIUS - 4, 2)
            inside = (rows - row) ** 2 + (columns - column) ** 2 < RADIUS**2
            where = inside & (name == "disk")
            image[where, -1] = 240
            np.save(folder / part / name / f"{number}.npy", image)
            Image.fromarray(where).save(folder / part / name / f"{number}_mask.png")


@pytest.mark.slow
@pytest.mark.parametrize("channels", [2, 4])
def test_a_class_that_only_the_last_channel_shows_is_learned_found_and_reported(tmp_path, channels):
    write_images(tmp_path / "images", channels)
    out = tmp_path / "out"
    xaibench.run(
        dataset=f"folder[path={tmp_path / 'images'},channels={channels}]",
        models=f"same_head[backbone=gap_cnn,channels={channels}]",
        methods="gradcam,cam_to_mask[by=grabcut]",
        metrics="roc_auc,drop_in_confidence,insertion,road",
        split="official",
        image_size=SIDE, epochs=12, learning_rate=3e-3, train_batch_size=8, ema=0.0,
        augmentation="color,horizontal_flip", weights="none", controls=False, dependence=False,
        out=str(out),
    )  # fmt: skip
    told = pd.read_csv(out / "predictions.csv")
    assert (told["prediction"] == told["label"]).mean() > 0.9
    scores = pd.read_csv(out / "scores.csv")
    assert set(scores["method"]) == {"gradcam"}
    assert scores.groupby("metric")["value"].mean()["roc_auc"] > 0.85
    assert scores.groupby("metric")["value"].count().min() == 6
    page = (out / "report.html").read_text()
    assert f"by=grabcut takes colors, and the images have {channels} channels" in page
    assert "pictures show the channels" in page
    assert (out / "grid.png").is_file()
