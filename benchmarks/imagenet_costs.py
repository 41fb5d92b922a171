"""What ImageNet's images cost on a GPU, for `imagenet_plan.py`.

Passes are counted in a real run of all methods, on a network with ResNet-50's shapes; how many a
GPU does in a second is ASSUMED. Times of the CPU, and sizes of files, are measured here.
"""

import csv
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from torch import nn

import xaibench
from xaibench.core.fingerprints import checksum
from xaibench.core.registry import bind
from xaibench.executors.schedule import Task
from xaibench.explaining.parts import COLUMNS, rows_of
from xaibench.results.maps import MapWriter, map_files
from xaibench.setup.jobs import Stage
from xaibench.training.trained import Predictions

RATE = 1000  # ASSUMED: images a second through a ResNet-50, 224 pixels, float32, on one GPU
CLASSES = 1000
_BACKWARD = 2  # a pass with its gradient, in passes (2.1 on the CPU: docs/speed.md)
METHODS = (
    "gradcam", "gradcam_pp", "hirescam", "xgradcam", "layercam", "eigencam", "eigengradcam",
    "finercam", "ablationcam", "scorecam", "gradient", "input_x_gradient", "smoothgrad",
    "integrated_gradients", "gradient_shap", "guided_backprop", "guided_gradcam", "fullgrad",
    "occlusion", "rise",
)  # fmt: skip
METRICS = ("drop_in_confidence", "increase_in_confidence", "sparseness", "entropy")
_DIFFERENTIATING = {"input_gradients", "differentiate", "integrate", "sum_over_biases"}


COMMON: dict[str, Any] = {
    "plugin": (__file__,), "models": ("stand_in",), "methods": METHODS, "metrics": METRICS,
    "weights": "none", "controls": False, "device": "cpu", "threads": 1, "target": "predicted",
}  # fmt: skip


@xaibench.model()
def stand_in(classes: int) -> xaibench.Classifier:
    """Build a network that is cheap and gives methods what ResNet-50 does: 2048 maps of 7 x 7."""
    network = nn.Sequential(
        nn.Conv2d(3, 2048, 32, stride=32), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(2048, classes),
    )  # fmt: skip
    return xaibench.Classifier(network, cam_layer="1", trained=True)


class Costs(NamedTuple):
    """Seconds that things take, and bytes."""

    image: float  # on a GPU: all methods and metrics, by the assumed rate
    storing: float  # of an image's raw maps, on the CPU
    opening: float  # what a worker does before its first image
    joining: float  # an image, on the CPU
    predicting: float  # an image, on a GPU, and writing its confidences
    maps: float  # bytes of an image
    scores: float  # bytes of an image
    confidences: float  # bytes of an image

    def of(self, task: Task, tested: int) -> float:
        """Return how long a task takes."""
        if task.payload.stage is Stage.JOIN:
            return self.joining * tested
        if task.payload.stage is Stage.TRAIN:
            return self.opening + self.predicting * tested
        return self.opening + (self.image + self.storing) * len(task.payload.part.of(range(tested)))


def try_out(folder: Path) -> pd.DataFrame:
    """Run all methods on a few phantoms; return passes and stored bytes of an image by method."""
    given = {**COMMON, "dataset": "phantom[images=20]", "image_size": 224, "batch_size": 4}
    out = xaibench.run(**given, out=str(folder)).out
    costs = pd.read_csv(out / "costs.csv").set_index("method")
    words = {spec: set(bind("method", spec).plugin.signature.words) for spec in METHODS}
    factors = {spec: _BACKWARD if words[spec] & _DIFFERENTIATING else 1 for spec in METHODS}
    cells = {path.parent.name: path.parent for path in out.glob("cells/*/*/*/*/*/cell.json")}
    tested = len(pd.read_csv(out / "predictions.csv"))
    stored = {spec: sum(path.stat().st_size for path in map_files(cells[spec])) / tested
              for spec in METHODS}  # fmt: skip
    passes = costs["forwards_per_image"] * pd.Series(factors)
    return pd.DataFrame({"passes": passes, "stored": stored}).loc[list(METHODS)]


def cost_of(tried: pd.DataFrame, opening: float, images: int, folder: Path) -> Costs:
    """Return what an image costs, of what was tried out and of files that are written here."""
    covered = len(METHODS) + 1  # a pass for each map, and one for the untouched image
    maps, rows = tried["stored"].sum(), len(METHODS) * len(METRICS)
    writing, reading, size = _time_confidences(folder)
    row = "made_up[images=1300000],official,0,stand_in,0,input_x_gradient,"
    row += "n00000123/n00000123_0000123,drop_in_confidence,0.12345678901234567,ok\n"
    return Costs(
        image=(tried["passes"].sum() + covered) / RATE,
        storing=maps * _time_storing(folder),
        opening=opening + reading * images,
        joining=rows * _time_joining(folder),
        predicting=1 / RATE + writing,
        maps=maps,
        scores=rows * len(row),
        confidences=size,
    )


def _time_storing(folder: Path) -> float:
    """Return seconds for a byte of a raw map."""
    drawn = np.random.default_rng(0).normal(size=(20, 224, 224)).astype(np.float32)
    writer, started = MapWriter(folder / "maps.npz"), time.process_time()
    for at, raw in enumerate(drawn):
        writer.add(str(at), raw)
    writer.close()
    return (time.process_time() - started) / (folder / "maps.npz").stat().st_size


def _time_joining(folder: Path) -> float:
    """Return seconds for a row of scores, from a part's table to the cell's."""
    count, path = 50_000, folder / "scores.csv"
    names = [f"n{at:08}/n{at:08}_{at:07}" for at in range(count)]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([COLUMNS, *([name, METRICS[0], at / 7, "ok"]
                                     for at, name in enumerate(names))])  # fmt: skip
    started = time.process_time()
    with (folder / "joined.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows_of(path, METRICS))
    return (time.process_time() - started) / count


def _time_confidences(folder: Path) -> tuple[float, float, float]:
    """Return for a row of ``predictions.csv`` seconds of writing, of reading, and bytes."""
    count, path = 2000, folder / "predictions.csv"
    confidences = np.random.default_rng(0).dirichlet(np.ones(CLASSES), count).astype(np.float32)
    started = time.process_time()
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["sample", "prediction", *(f"confidence_{k}" for k in range(CLASSES))])
        writer.writerows([f"n{at:08}", 0, *map(float, each)] for at, each in enumerate(confidences))
    written = time.process_time()
    checksum(path)
    Predictions(path)
    return (
        (written - started) / count,
        (time.process_time() - written) / count,
        path.stat().st_size / count,
    )
