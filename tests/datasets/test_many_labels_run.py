"""Photographs with all their objects, end to end: folds, seeds, and a network of a map a class."""

import numpy as np
import pandas as pd
import pytest
from tiny_sets import make_coco_yolo

import xaibench
from xaibench.results.maps import MapReader

KMAPS = "saliency_net[backbone=resnet18,hidden=0,maps=class]"
SQUARES = {  # kind of object, and the corners of a square around it in shares of the sides
    0: (0.1, 0.1, 0.4, 0.6),
    15: (0.5, 0.2, 0.9, 0.7),
    2: (0.3, 0.3, 0.7, 0.9),
}
SHOWN = ([0], [15], [0, 15], [0, 15, 2], [])
CLASSES = ("person", "animal", "vehicle")


def label(kind):
    left, top, right, bottom = SQUARES[kind]
    return f"{kind} {left} {top} {right} {top} {right} {bottom} {left} {bottom}\n"


@pytest.mark.slow
def test_photographs_with_all_objects_from_folds_to_the_report(tmp_path):
    pictures = {f"train2017/{n:02}": "".join(map(label, SHOWN[n % len(SHOWN)])) for n in range(30)}
    make_coco_yolo(tmp_path, pictures)
    options = {
        "dataset": f"coco_yolo[objects=all,classes={'+'.join(CLASSES)}]", "data_root": tmp_path,
        "models": ("small_resnet", KMAPS), "methods": ("gradcam", "spn"), "controls": False,
        "metrics": ("hit_rate", "iou_found", "false_alarm_mass"), "target": "all", "epochs": 1,
        "split": "kfold:2", "seeds": (0, 1), "mask_fraction": 1.0, "image_size": 32,
        "weights": "none", "device": "cpu", "dependence": False, "out": tmp_path / "out",
    }  # fmt: skip
    xaibench.run(**{name: str(o) if name in ("data_root", "out") else o
                    for name, o in options.items()})  # fmt: skip
    scores = pd.read_csv(tmp_path / "out" / "scores.csv", dtype={"sample": str})
    # Two seeds, a map of each network (32 pixels are too few for the other's gradcam), three
    # metrics, each image and class.
    assert len(scores) == 2 * 2 * 3 * 30 * 3
    assert set(scores["target"]) == set(CLASSES)
    shown = scores[scores["metric"] == "hit_rate"].groupby("target")["value"].count()
    assert shown.to_dict() == {"person": 18 * 4, "animal": 18 * 4, "vehicle": 6 * 4}
    alarms = scores[scores["metric"] == "false_alarm_mass"].groupby("target")["value"].count()
    assert alarms.to_dict() == {"person": 12 * 4, "animal": 12 * 4, "vehicle": 24 * 4}
    archives = sorted((tmp_path / "out" / "cells").rglob("spn/maps.npz"))
    assert len(archives) == 4
    mine = scores[(scores["method"] == "spn") & (scores["fold"] == 0)]["sample"].iloc[0]
    first = next(a for a in archives if "fold0" in str(a))
    with MapReader(first) as reader:
        maps = [reader[f"{name}/{mine}"] for name in CLASSES]
    assert not any(np.array_equal(maps[0], other) for other in maps[1:])
    assert list((tmp_path / "out" / "figures").glob("classes*.png"))
    slices = pd.read_csv(tmp_path / "out" / "slices.csv")
    assert {"class", "classes"} <= set(slices["slice"])
    per_class = pd.read_csv(tmp_path / "out" / "per_class.csv")
    assert len(per_class) == 2 * 2 * 2 * (len(CLASSES) + 1)
    assert {"class", "positives", "threshold", "auprc"} <= set(per_class.columns)
    assert not (tmp_path / "out" / "classification.csv").exists()
    assert "per_class.csv" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
