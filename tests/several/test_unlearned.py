"""Classes that no training image shows."""

import pandas as pd
from PIL import Image

from xaibench.running.plan import make_plan
from xaibench.setup.selection import select


def test_a_plan_names_classes_that_no_training_image_shows(tmp_path):
    parts = ["train"] * 6 + ["validation"] * 2 + ["test"] * 4
    for at in range(len(parts)):
        Image.new("RGB", (30, 20), (20 * at, 90, 10)).save(tmp_path / f"i{at}.png")
    table = pd.DataFrame(
        {
            "image": [f"i{at}.png" for at in range(len(parts))],
            "part": parts,
            "seen": [at % 2 for at in range(len(parts))],
            "later": [0] * 8 + [1, 0, 1, 0],
            "doubtful": [-1] * len(parts),
        }
    )
    table.to_csv(tmp_path / "table.csv", index=False)
    selection = select(
        {
            "dataset": f"folder[path={tmp_path / 'table.csv'}]", "split": "official",
            "models": ("small_vgg[filters=4-4-4-4]",), "weights": "none", "image_size": 32,
            "methods": ("gradcam",), "metrics": ("drop_in_confidence",), "controls": False,
        }
    )  # fmt: skip
    (said,) = (each for each in make_plan(selection).warnings if "no image to train on" in each)
    assert "shows doubtful, later: networks" in said or "shows later, doubtful: networks" in said
